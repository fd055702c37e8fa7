// The server's figures, which it publishes in Prometheus's text format, read for one model.

const SAMPLE = /^(\w+)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;
const PREDICT_ROUTE = "/v2/models/{model}/predict";
const STAGES = ["queue", "model", "render"];

/** Return what the figures say of a model: workers, queue, times, answers by status, restarts, trainings. */
export function figuresOf(text, model) {
  const samples = text.split("\n").map(sampleIn).filter(Boolean);
  const own = samples.filter(({ labels }) => labels.model === model);
  const value = (name) => own.find((sample) => sample.name === name)?.value ?? 0;
  return {
    workers: byLabel(own, "deepaas_workers", "state"),
    queueLength: value("deepaas_queue_length"),
    queueOldestS: value("deepaas_queue_oldest_seconds"),
    restarts: byLabel(own, "deepaas_worker_restarts_total", "cause"),
    trainings: byLabel(own, "deepaas_trainings", "state"),
    times: Object.fromEntries(STAGES.map((stage) => [stage, timesOf(own, stage)])),
    answers: answersIn(samples),
  };
}

/** Return the times that `after` has and `before` has not. */
export function timesBetween(before, after) {
  return {
    count: after.count - before.count,
    sumS: after.sumS - before.sumS,
    buckets: after.buckets.map(([bound, count], index) => [bound, count - (before.buckets[index]?.[1] ?? 0)]),
  };
}

/** Return the first of the measured bounds, in seconds, that a share of the calls stayed within. */
export function boundOf({ count, buckets }, share) {
  return buckets.find(([, upTo]) => upTo >= share * count)[0];
}

function sampleIn(line) {
  const [, name, labels = "", value] = line.match(SAMPLE) ?? [];
  return name ? { name, labels: labelsIn(labels), value: Number(value) } : null;
}

function labelsIn(text) {
  return Object.fromEntries([...text.matchAll(LABEL)].map(([, name, value]) => [name, plain(value)]));
}

function plain(value) {
  return value.replace(/\\(.)/g, (_, letter) => (letter === "n" ? "\n" : letter));
}

function byLabel(samples, name, label) {
  return Object.fromEntries(
    samples.filter((each) => each.name === name).map(({ labels, value }) => [labels[label], value]),
  );
}

function timesOf(samples, stage) {
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

/** Requests are counted by route, for all models together. */
function answersIn(samples) {
  const predictions = samples.filter(
    ({ name, labels }) => name === "deepaas_http_requests_total" && labels.route.endsWith(PREDICT_ROUTE),
  );
  return byLabel(predictions, "deepaas_http_requests_total", "status");
}
