// Words and numbers, written as every other format of apisnoop writes them.

const numbers = new Intl.NumberFormat("en-US");
const collator = new Intl.Collator("en", { numeric: true });

const number = (value) => numbers.format(value);
const counted = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;

/** A share in per cent, rounded down: 100 % means all of it, and a gate is not contradicted. */
function percent(hit, total) {
  if (!total) return "n/a";
  const value = (100 * hit) / total;
  if (value > 0 && value < 0.1) return "<0.1 %";
  return `${(Math.floor(value * 10 + 1e-9) / 10).toFixed(1)} %`;
}

/** Epoch seconds as UTC to the minute; an empty string where no source told the time. */
function moment(seconds) {
  return seconds ? new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ") : "";
}

const STATES = {
  hit: { mark: "hit", text: "Hit" },
  errors: { mark: "errors", text: "Only errors" },
  none: { mark: "none", text: "Not called" },
};
