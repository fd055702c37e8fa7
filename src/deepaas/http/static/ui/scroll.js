// Scrolling to content that the user has just requested.

const LOW_SHARE = 0.6;

/** Scroll to an element above the window or in its lower part, after nested elements have rendered. */
export async function scrollIntoViewIfNeeded(element) {
  // Each level of nested elements renders one frame after its parent.
  for (const _ of [1, 2, 3]) await new Promise(requestAnimationFrame);
  const { top } = element.getBoundingClientRect();
  if (top < 0 || top > innerHeight * LOW_SHARE) element.scrollIntoView({ block: "start" });
}
