// Each range walks the stops of a time. The last stop is empty: now.
for (const range of document.querySelectorAll("input[data-stops]")) {
  const stops = range.dataset.stops.split(" ").slice(0, -1);
  const field = document.getElementById(range.dataset.for);
  const value = field.value.length === 10 ? field.value + "T~" : field.value; // a date: its end
  const later = stops.findIndex((stop) => stop > value);
  const at = value === "" || later < 0 ? stops.length - 1 : Math.max(0, later - 1);
  range.max = stops.length - 1;
  range.value = stops.includes(value) ? stops.indexOf(value) : at;
  const say = () => range.setAttribute("aria-valuetext", stops[range.value] || "now");
  range.addEventListener("input", () => { field.value = stops[range.value]; say(); });
  range.addEventListener("change", () => range.form.requestSubmit());
  say();
  range.hidden = stops.length < 2;
}
