import { constants } from "node:fs";
import { access, statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Settings } from "../settings/settings.ts";
import type { Finding } from "./finding.ts";

/** Less than this is too little for a log to go on with, in bytes. */
const LEAST_FREE = 1_073_741_824;

/** Whether the embedded log can be written, and for how long the disk will do. */
export async function diskFindings({ dataDir, dataMaxBytes }: Settings): Promise<readonly Finding[]> {
  const folder = await nearest(resolve(dataDir));
  const check = "data folder";
  try {
    await access(folder, constants.W_OK | constants.X_OK);
  } catch {
    const mend = `give the gateway's user the right to write in ${folder}, or set DATA_DIR`;
    return [{ check, verdict: "wrong", says: `${folder} cannot be written`, mend }];
  }
  const { bavail, bsize } = await statfs(folder);
  return [
    { check, verdict: "ok", says: `${dataDir} can be written` },
    spaceFinding(bavail * bsize, dataMaxBytes),
  ];
}

/** Whether `free` bytes will do for a log of at most `max`. Pure. */
export function spaceFinding(free: number, max: number): Finding {
  const check = "disk";
  const least = Math.min(max, LEAST_FREE);
  const says = `${bytes(free)} free; the log may grow to ${bytes(max)}`;
  if (free >= max) return { check, verdict: "ok", says };
  if (free >= least) return { check, verdict: "note", says: `${says}, so the disk may be full first` };
  const mend =
    "make room, set DATA_DIR to a larger disk, or lower DATA_MAX_BYTES, RETAIN_AGE or RETAIN_PER_SUBJECT";
  return { check, verdict: "wrong", says, mend };
}

/** The folder, or the nearest above it that exists. */
async function nearest(folder: string): Promise<string> {
  try {
    await access(folder);
    return folder;
  } catch {
    return dirname(folder) === folder ? folder : await nearest(dirname(folder));
  }
}

function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = count;
  let unit = 0;
  for (; value >= 1_024 && unit < units.length - 1; unit++) value /= 1_024;
  return `${value.toFixed(value < 10 && unit > 0 ? 1 : 0)} ${units[unit]}`;
}
