// The page's elements by their ids, and changes to them.

export const part = (id) => document.getElementById(id);

/** Change only what differs: screen readers and the browser's layout are left in peace. */
export function set(element, values) {
  for (const [name, value] of Object.entries(values)) {
    if (element[name] !== value) element[name] = value;
  }
}
