// A picture on the paper in place of a drawing: dropped or pasted. It is made small here, and goes with the next stroke.

import { dropping, unfit } from "./dropping.js";

const MOST = 20_000_000; // bytes that are read
const SIDE = 560; // pixels of the longer side that is sent

/**
 * @param zone what shows that a picture may be dropped, anywhere on the page
 * @param image shows it
 * @param said where it is told why one was not taken
 * @param changed () => void, after one was put there
 */
export function givenPicture({ zone, image, said, changed }) {
  let url = "";

  function show(next, why = "") {
    url = next;
    image.hidden = !url;
    if (url) image.src = url;
    else image.removeAttribute("src");
    tell(why);
  }

  function tell(why) {
    said.hidden = !why;
    said.textContent = why;
  }

  async function take(files) {
    const why = unfit(files, MOST);
    if (why) return tell(why);
    try {
      show(await small(files[0]));
    } catch {
      return tell(`${files[0].name.slice(0, 60)} is no picture that this browser can read.`);
    }
    return changed();
  }

  dropping({ zone: () => zone, field: () => document.documentElement, take });
  return {
    /** Its data URL; "" where there is none. */
    get url() { return url; },
    put(kept) {
      show(kept);
      changed();
    },
    /** Take it away, and what was said; whether there was one. */
    clear() {
      const had = url !== "";
      if (had || !said.hidden) show("");
      return had;
    },
  };
}

/** A PNG of the picture, at most SIDE pixels wide and high. */
async function small(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL("image/png");
}
