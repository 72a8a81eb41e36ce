// Two pictures in one place, with a line between them that can be moved.

/** Anything that can be drawn and has a size. */
export type Drawable = HTMLCanvasElement | ImageBitmap;

export class Compare {
  #stage: HTMLElement;
  #pair: HTMLElement;
  #slider: HTMLInputElement;
  #left: HTMLCanvasElement;
  #right: HTMLCanvasElement;

  /** Finds its elements in the page and listens to them. */
  constructor() {
    this.#stage = byId("stage");
    this.#pair = byId("pair");
    this.#slider = byId("slider");
    this.#left = byId("left");
    this.#right = byId("right");
    this.#slider.addEventListener("input", () => this.#place(this.#slider.valueAsNumber));
    this.#pair.addEventListener("pointerdown", (event) => {
      this.#pair.setPointerCapture(event.pointerId);
      this.#follow(event);
    });
    this.#pair.addEventListener("pointermove", (event) => {
      // A mouse drags; a finger may only mean to scroll, which the browser then takes over.
      if (event.buttons !== 0) this.#follow(event);
    });
  }

  /** Shows a picture left of the line. */
  left(picture: Drawable): void {
    draw(this.#left, picture);
    byId("result").style.setProperty("--ratio", String(picture.width / picture.height));
  }

  /** Shows a picture right of the line. */
  right(picture: Drawable): void {
    draw(this.#right, picture);
  }

  /** Shows pixels one to one, or the whole picture. */
  actual(on: boolean): void {
    this.#stage.classList.toggle("actual", on);
    const scale = on ? 1 / devicePixelRatio : undefined;
    for (const canvas of [this.#left, this.#right]) {
      canvas.style.width = scale ? `${canvas.width * scale}px` : "";
    }
  }

  #follow(event: PointerEvent): void {
    const box = this.#pair.getBoundingClientRect();
    const percent = ((event.clientX - box.left) / box.width) * 100;
    this.#place(Math.min(100, Math.max(0, percent)));
  }

  #place(percent: number): void {
    this.#slider.value = String(percent);
    this.#pair.style.setProperty("--at", `${percent}%`);
  }
}

function draw(canvas: HTMLCanvasElement, picture: Drawable): void {
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext("2d")?.drawImage(picture, 0, 0);
}

/** An element of the page, which has it. */
export function byId<T extends HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element as T;
}
