// Times, durations and numbers, for people.

import { h } from "./dom.js";

const UNITS = [[604800, "wk"], [86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const KINDS = { reconstruction: "anomaly", silence: "silence", frozen: "frozen" };
const VERDICTS = { false_alarm: "false alarm", confirmed: "confirmed", acknowledged: "acknowledged", withdrawn: "withdrawn", missed: "missed" };
const REASONS = {
  quiet: "quiet again", gap: "series paused", forgotten: "fell silent for good", resumed: "speaks again", moved: "moves again",
};

// The server's clock decides; that of this machine may be wrong.
let skew = 0;
export function setNow(text) {
  skew = Date.parse(text) - Date.now();
}
export const now = () => Date.now() + skew;

export const kindName = (kind) => KINDS[kind] ?? kind;
export const verdictName = (verdict) => VERDICTS[verdict] ?? verdict;
export const reasonName = (reason) => REASONS[reason] ?? reason;

export function duration(seconds) {
  if (!(seconds >= 0)) return "–";
  if (seconds < 1) return "0 s";
  const place = UNITS.findIndex(([size]) => seconds >= size);
  const [size, unit] = UNITS[place];
  const whole = Math.floor(seconds / size);
  const finer = UNITS[place + 1];
  const rest = finer && whole < 10 ? Math.floor((seconds - whole * size) / finer[0]) : 0;
  return rest ? `${whole} ${unit} ${rest} ${finer[1]}` : `${whole} ${unit}`;
}

export function ago(text) {
  const seconds = (now() - Date.parse(text)) / 1000;
  return seconds < 5 ? "just now" : `${duration(Math.floor(seconds))} ago`;
}

// "2 Feb 15:20" in UTC, with the year where it is not this one, and seconds if asked for.
export function clock(text, seconds = false) {
  const at = new Date(text);
  const two = (number) => String(number).padStart(2, "0");
  const year = at.getUTCFullYear() === new Date(now()).getUTCFullYear() ? "" : ` ${at.getUTCFullYear()}`;
  const time = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}${seconds ? `:${two(at.getUTCSeconds())}` : ""}`;
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}${year} ${time}`;
}

// A moment in UTC, with local time where the pointer rests.
export function moment(text, seconds = false) {
  if (!text) return "–";
  const local = new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
  return h("time", { datetime: text, title: `${text}\nhere: ${local}` }, clock(text, seconds), h("span", { class: "zone" }, " UTC"));
}

export function ratio(value) {
  if (!Number.isFinite(value)) return "–";
  return `${value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(value >= 10 ? 0 : 1)}×`;
}

export function number(value) {
  if (value === null || value === undefined) return "–";
  if (value !== 0 && (Math.abs(value) >= 1e6 || Math.abs(value) < 1e-3)) return value.toExponential(3);
  return String(Number(value.toPrecision(5)));
}

export const count = (value, one, many = `${one}s`) => `${value.toLocaleString("en")} ${value === 1 ? one : many}`;

// How long an incident has lasted. An open one goes on as long as its series is heard of in time.
export function lasted(row) {
  const since = (now() - Date.parse(row.written_at)) / 1000;
  const live = row.open && row.behind_seconds < 3600 && since >= 0;
  return row.duration_seconds + (live ? since + Math.max(0, row.behind_seconds) : 0);
}
