// The table of sizes and times.

/** A line of the table. */
export interface Line {
  name: string;
  bytes?: number;
  encodeMs?: number;
  decodeMs?: number;
}

/** Bytes as people read them. */
export function size(bytes: number): string {
  return bytes < 10_000 ? `${bytes} B` : `${(bytes / 1000).toFixed(bytes < 1e6 ? 1 : 0)} kB`;
}

function time(ms: number | undefined): string {
  if (ms === undefined) return "–";
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${ms.toFixed(0)} ms`;
}

/** Fills the table's body. */
export function show(body: HTMLElement, lines: Line[], pixels: number): void {
  body.replaceChildren(...lines.map((line) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = line.name;
    const bpp = line.bytes === undefined ? "…" : ((8 * line.bytes) / pixels).toFixed(3);
    const bytes = line.bytes === undefined ? "…" : size(line.bytes);
    const cells = [bytes, bpp, time(line.encodeMs), time(line.decodeMs)].map((text) => {
      const cell = document.createElement("td");
      cell.textContent = text;
      return cell;
    });
    row.append(head, ...cells);
    return row;
  }));
}
