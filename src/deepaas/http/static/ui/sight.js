// Leading the reader's eye to what they have just asked for.

const FAR_DOWN = 0.6;

/** Scroll to an element that is out of sight, once all that is in it has been drawn. */
export async function bringIntoSight(element) {
  // What an element holds is drawn in the frame after its own, and so is what that holds.
  for (const _ of [1, 2, 3]) await new Promise(requestAnimationFrame);
  const { top } = element.getBoundingClientRect();
  if (top < 0 || top > innerHeight * FAR_DOWN) element.scrollIntoView({ block: "start" });
}
