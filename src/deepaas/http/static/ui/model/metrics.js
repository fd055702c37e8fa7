// Parses a model's metrics from the server's Prometheus text format.

const SAMPLE = /^(\w+)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;
const PREDICT_ROUTE = "/v2/models/{model}/predict";
const STAGES = ["queue", "model", "render"];

/** Return a model's workers, queue, times, restarts and trainings, and the responses of all models. */
export function parseMetrics(text, model) {
  const samples = text.split("\n").map(parseSample).filter(Boolean);
  const own = samples.filter(({ labels }) => labels.model === model);
  const value = (name) => own.find((sample) => sample.name === name)?.value ?? 0;
  return {
    workers: groupByLabel(own, "deepaas_workers", "state"),
    queueLength: value("deepaas_queue_length"),
    queueOldestS: value("deepaas_queue_oldest_seconds"),
    restarts: groupByLabel(own, "deepaas_worker_restarts_total", "cause"),
    trainings: groupByLabel(own, "deepaas_trainings", "state"),
    times: Object.fromEntries(STAGES.map((stage) => [stage, parseTimes(own, stage)])),
    responses: countResponses(samples),
  };
}

/** Return the histogram of the calls between two snapshots, `after` minus `before`. */
export function subtractTimes(before, after) {
  return {
    count: after.count - before.count,
    sumS: after.sumS - before.sumS,
    buckets: after.buckets.map(([bound, count], index) => [bound, count - (before.buckets[index]?.[1] ?? 0)]),
  };
}

/** Return the upper bound, in seconds, of the histogram bucket that contains a quantile (0 to 1). */
export function getQuantileBound({ count, buckets }, quantile) {
  return buckets.find(([, upTo]) => upTo >= quantile * count)[0];
}

function parseSample(line) {
  const [, name, labels = "", value] = line.match(SAMPLE) ?? [];
  return name ? { name, labels: parseLabels(labels), value: Number(value) } : null;
}

function parseLabels(text) {
  return Object.fromEntries([...text.matchAll(LABEL)].map(([, name, value]) => [name, unescapeLabel(value)]));
}

function unescapeLabel(value) {
  return value.replace(/\\(.)/g, (_, character) => (character === "n" ? "\n" : character));
}

function groupByLabel(samples, name, label) {
  return Object.fromEntries(
    samples.filter((each) => each.name === name).map(({ labels, value }) => [labels[label], value]),
  );
}

function parseTimes(samples, stage) {
  const own = samples.filter(({ labels }) => labels.stage === stage);
  const value = (name) =>
    own.find((sample) => sample.name === `deepaas_prediction_duration_seconds_${name}`)?.value ?? 0;
  const buckets = own.filter(({ name }) => name === "deepaas_prediction_duration_seconds_bucket");
  return {
    count: value("count"),
    sumS: value("sum"),
    buckets: buckets.map(({ labels, value: upTo }) => [
      labels.le === "+Inf" ? Infinity : Number(labels.le),
      upTo,
    ]),
  };
}

/** Return the number of predict responses by status, of all models: the server counts requests by route. */
function countResponses(samples) {
  const predictions = samples.filter(
    ({ name, labels }) => name === "deepaas_http_requests_total" && labels.route.endsWith(PREDICT_ROUTE),
  );
  return groupByLabel(predictions, "deepaas_http_requests_total", "status");
}
