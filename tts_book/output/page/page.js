"use strict";
// The text is in the document; `data` holds only times and what the proof view shows.
// A chapter: {f: file, b: where it begins in it (ms), d: length (ms), s: [first sentence's number,
// start of each sentence in ms], w: for each sentence [start, length, ms, …] of its words, in
// characters of the sentence, k: chunks [first sentence, number, attempts, estimated, doubts, voice]}.
const data = JSON.parse(document.getElementById("data").textContent);
const words = data.words;  // what the page says, in the language of the book
const $ = (id) => document.getElementById(id);
const audio = $("audio"), text = $("text"), status = $("status");
const chapters = data.chapters;
const key = "tts-book:" + data.id;
const store = {
  get: () => { try { return JSON.parse(localStorage.getItem(key)) || {}; } catch { return {}; } },
  set: (value) => { try { localStorage.setItem(key, JSON.stringify({...store.get(), ...value})); } catch { /* private window */ } },
};
const total = chapters.reduce((sum, chapter) => sum + chapter.s.length, 0);
const canHighlight = typeof Highlight === "function" && CSS.highlights;
const wordMark = canHighlight ? new Highlight() : null, foundMark = canHighlight ? new Highlight() : null;
if (canHighlight) { CSS.highlights.set("word", wordMark); CSS.highlights.set("found", foundMark); }

const firsts = []; let count = 0;
for (const chapter of chapters) { firsts.push(count); count += chapter.s.length; }
const span = (number) => $("s" + number);
const last = (list, value, read) => {  // the last entry whose value is not greater, -1 without one
  let low = 0, high = list.length;
  while (low < high) { const middle = (low + high) >> 1; if (read(list, middle) <= value) low = middle + 1; else high = middle; }
  return low - 1;
};
const plain = (list, at) => list[at];
const chapterOf = (number) => last(firsts, number, plain);
const startOf = (number) => { const at = chapterOf(number); return chapters[at].s[number - firsts[at]]; };

// Sound -------------------------------------------------------------------------------------------
let playing = -1, current = -1, word = -1, selected = 0, follow = true, pending = null;
const url = (at) => data.sound ? data.sound[at] : chapters[at].f;
function open(at, ms) {
  const same = playing >= 0 && url(playing) === url(at);
  playing = at;
  $("chapters").value = String(at);
  if (same) { audio.currentTime = ms / 1000; return; }
  pending = ms;
  audio.src = url(at);
  audio.playbackRate = Number($("speed").value);
}
audio.addEventListener("loadedmetadata", () => {
  audio.playbackRate = Number($("speed").value);
  if (pending !== null) { audio.currentTime = pending / 1000; pending = null; }
});
audio.addEventListener("error", () => { status.textContent = words.missing.replace("{}", chapters[Math.max(0, playing)].f); });
audio.addEventListener("ended", () => { if (playing + 1 < chapters.length) { open(playing + 1, chapters[playing + 1].b); audio.play(); } });
function jump(number, play) {
  const at = chapterOf(number);
  follow = true;
  open(at, startOf(number));
  mark(number, -1);
  if (play) audio.play().catch(() => {});
}
$("speed").addEventListener("change", () => { audio.playbackRate = Number($("speed").value); store.set({speed: $("speed").value}); });
$("chapters").addEventListener("change", () => { const at = Number($("chapters").value); select(firsts[at], true); jump(firsts[at], !audio.paused); });

// Highlight ---------------------------------------------------------------------------------------
function mark(number, at) {
  if (number !== current) {
    if (current >= 0) { const old = span(current); old.classList.remove("on"); old.removeAttribute("aria-current"); }
    current = number;
    const now = span(number);
    now.classList.add("on");
    now.setAttribute("aria-current", "true");
    word = -1;
    if (follow) show(now);
    store.set({sentence: number});
  }
  if (at === word || !wordMark) return;
  word = at;
  wordMark.clear();
  if (at < 0) return;
  const list = wordsOf(number), node = span(number).firstChild, range = new Range();
  range.setStart(node, list[3 * at]);
  range.setEnd(node, Math.min(node.length, list[3 * at] + list[3 * at + 1]));
  wordMark.add(range);
}
function wordsOf(number) { const at = chapterOf(number); return chapters[at].w[number - firsts[at]]; }
function show(element) {
  const box = element.getBoundingClientRect(), top = document.querySelector(".bar").offsetHeight;
  const bottom = innerHeight - (document.body.classList.contains("proof") ? $("tools").offsetHeight : 0);
  if (box.top < top + 8 || box.bottom > bottom - 8) element.scrollIntoView({block: "center"});
}
function step() {
  if (playing < 0 || pending !== null || audio.readyState === 0) return;
  const ms = audio.currentTime * 1000;
  if (!data.sound && playing + 1 < chapters.length && chapters[playing + 1].f === chapters[playing].f && ms >= chapters[playing + 1].b) {
    playing += 1; $("chapters").value = String(playing);
  } else if (playing > 0 && !data.sound && chapters[playing - 1].f === chapters[playing].f && ms < chapters[playing].b) {
    playing -= 1; $("chapters").value = String(playing);
  }
  const chapter = chapters[playing], at = last(chapter.s, ms, plain);
  if (at < 0) return;
  const list = chapter.w[at];
  let heard = -1;
  if (list.length) {
    let low = 0, high = list.length / 3;
    while (low < high) { const middle = (low + high) >> 1; if (list[3 * middle + 2] <= ms) low = middle + 1; else high = middle; }
    heard = low - 1;
  }
  mark(firsts[playing] + at, heard);
}
function loop() { step(); if (!audio.paused) requestAnimationFrame(loop); }
audio.addEventListener("play", () => { if (playing < 0) { resume(); } follow = true; requestAnimationFrame(loop); });
audio.addEventListener("seeked", step);
for (const kind of ["wheel", "touchmove"]) addEventListener(kind, () => { follow = false; }, {passive: true});
$("follow").addEventListener("click", () => { follow = true; if (current >= 0) span(current).scrollIntoView({block: "center"}); });

// Text: a click or Enter plays from a sentence; arrow keys walk; one stop of the Tab key ------------
function select(number, focus) {
  if (number < 0 || number >= total) return;
  span(selected).tabIndex = -1;
  selected = number;
  const now = span(number);
  now.tabIndex = 0;
  if (focus) { now.focus({preventScroll: true}); show(now); }
  tell();
}
text.addEventListener("click", (event) => {
  const found = event.target.closest(".s");
  if (!found || String(getSelection())) return;
  const number = Number(found.id.slice(1));
  select(number, false);
  jump(number, true);
});
text.addEventListener("keydown", (event) => {
  if (!event.target.classList.contains("s") || event.ctrlKey || event.altKey || event.metaKey) return;
  const forward = event.key === "ArrowDown" || event.key === "ArrowRight";
  const at = chapterOf(selected);
  if (event.key === "Enter") jump(selected, true);
  else if (forward || event.key === "ArrowUp" || event.key === "ArrowLeft") walk(forward ? 1 : -1);
  else if (event.key === "Home") select(firsts[at], true);
  else if (event.key === "End") select(firsts[at] + chapters[at].s.length - 1, true);
  else if (event.key === "PageDown" && at + 1 < chapters.length) select(firsts[at + 1], true);
  else if (event.key === "PageUp" && at > 0) select(firsts[at - 1], true);
  else return;
  event.preventDefault();
});
function walk(by) {
  let next = selected + by;
  while (next >= 0 && next < total && document.body.classList.contains("doubtful") && !doubtOf(next)) next += by;
  select(next, true);
}

// Search ------------------------------------------------------------------------------------------
let hits = [], hit = -1, sought = "";
const fold = (value) => value.toLocaleLowerCase().replaceAll("ё", "е");
function search(by) {
  const wanted = fold($("search").value.trim());
  if (!wanted) { hits = []; if (foundMark) foundMark.clear(); status.textContent = ""; sought = ""; return; }
  if (wanted !== sought) {
    sought = wanted; hits = []; hit = -1;
    if (foundMark) foundMark.clear();
    for (let number = 0; number < total; number += 1) {
      const node = span(number).firstChild, folded = fold(node.data);
      for (let at = folded.indexOf(wanted); at >= 0; at = folded.indexOf(wanted, at + wanted.length)) {
        hits.push(number);
        if (foundMark && hits.length < 5000) { const range = new Range(); range.setStart(node, Math.min(at, node.length)); range.setEnd(node, Math.min(at + wanted.length, node.length)); foundMark.add(range); }
      }
    }
    hit = by > 0 ? hits.findIndex((number) => number >= selected) - 1 : hits.findLastIndex((number) => number <= selected) + 1;
    if (hit < -1) hit = -1;
  }
  if (!hits.length) { status.textContent = words.nothing; return; }
  hit = (hit + by + hits.length) % hits.length;
  status.textContent = (hit + 1) + " / " + hits.length;
  follow = false;
  select(hits[hit], false);
  span(hits[hit]).scrollIntoView({block: "center"});
}
$("find").addEventListener("submit", (event) => { event.preventDefault(); search(1); });
$("search").addEventListener("keydown", (event) => { if (event.key === "Enter" && event.shiftKey) { event.preventDefault(); search(-1); } });
$("search").addEventListener("input", () => { if (!$("search").value) search(1); });

// Light and dark ----------------------------------------------------------------------------------
$("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  store.set({theme: root.dataset.theme});
});

// Proof -------------------------------------------------------------------------------------------
const chunkOf = (number) => {
  const at = chapterOf(number), list = chapters[at].k;
  return {chapter: chapters[at], chunk: list[last(list, number - firsts[at], (l, i) => l[i][0])]};
};
const doubtOf = (number) => { const {chunk} = chunkOf(number); return chunk[4].length > 0; };
let drawn = false;
function draw() {  // chunk borders and what was left out, made when they are first looked at
  if (drawn) return;
  drawn = true;
  chapters.forEach((chapter, at) => {
    for (const [first, number, attempts, estimated, doubts, voice] of chapter.k) {
      if (first >= chapter.s.length) continue;
      const note = document.createElement("span");
      note.className = "chunk";
      const parts = [chapter.n + "/" + number, voice];
      if (attempts > 1) parts.push(words.attempts.replace("{}", attempts));
      if (estimated) parts.push(words.estimated);
      note.append(parts.join(" · "));
      for (const doubt of doubts) { const b = document.createElement("b"); b.textContent = " · " + doubt; note.append(b); }
      const begins = span(firsts[at] + first);
      begins.before(note);
      if (!doubts.length) note.classList.add("plain");
    }
  });
  for (let number = 0; number < total; number += 1) {
    const element = span(number);
    if (data.said[number]) element.classList.add("said");
    if (doubtOf(number)) { element.classList.add("doubt"); element.closest("section").classList.add("has-doubt"); element.parentElement.classList.add("holds-doubt"); }
  }
  for (const element of text.querySelectorAll("p, h2, h3")) if (!element.classList.contains("holds-doubt")) element.classList.add("plain");
  for (const panel of text.querySelectorAll(".panel")) panel.classList.add("plain");
}
$("proof").addEventListener("click", () => {
  draw();
  const on = document.body.classList.toggle("proof");
  $("proof").setAttribute("aria-pressed", String(on));
  store.set({proof: on});
  tell();
});
$("doubtful").addEventListener("change", () => { document.body.classList.toggle("doubtful", $("doubtful").checked); });
function tell() {
  if (!document.body.classList.contains("proof")) return;
  const {chapter, chunk} = chunkOf(selected), about = $("about");
  const lines = [data.places[selected], chapter.n + "/" + chunk[1], ...chunk[4]];
  if (data.said[selected]) lines.push(words.said + " " + data.said[selected]);
  about.textContent = lines.filter(Boolean).join(" · ");
}
const shell = (value) => "'" + value.replaceAll("'", "'\\''") + "'";
const clock = (ms) => { const s = Math.floor(ms / 1000); return Math.floor(s / 3600) + ":" + String(Math.floor(s / 60) % 60).padStart(2, "0") + ":" + String(s % 60).padStart(2, "0"); };
const commands = {
  redo: () => { const {chapter, chunk} = chunkOf(selected); return data.command ? data.command + (chapter.o || "") + " --redo " + chapter.n + "/" + chunk[1] : ""; },
  where: () => { const {chapter} = chunkOf(selected); return "tts-book where " + shell(chapter.p) + " " + clock(startOf(selected)); },
  pronounce: () => {
    const chosen = String(getSelection()).trim() || sentenceWord();
    return JSON.stringify(chosen) + " = " + JSON.stringify(chosen);
  },
};
function sentenceWord() {
  const list = wordsOf(selected), node = span(selected).firstChild;
  const at = selected === current && word >= 0 ? word : 0;
  return list.length ? node.data.slice(list[3 * at], list[3 * at] + list[3 * at + 1]) : node.data.trim().split(/\s+/)[0];
}
async function copy(value) {
  try { await navigator.clipboard.writeText(value); return true; } catch { /* denied from a file: the old way */ }
  const box = document.createElement("textarea"), back = document.activeElement;
  box.value = value; box.setAttribute("readonly", ""); box.style.position = "fixed"; box.style.opacity = "0";
  document.body.append(box); box.select();
  const done = document.execCommand("copy");
  box.remove(); back?.focus({preventScroll: true});
  return done;
}
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("mousedown", (event) => event.preventDefault());  // keeps the selected words
  button.addEventListener("click", async () => {
    const value = commands[button.dataset.copy]();
    $("copied").textContent = value ? ((await copy(value)) ? words.copied + " " + value : value) : words.unknown;
  });
}

// The place of the last visit ----------------------------------------------------------------------
const was = store.get();
if (was.theme) document.documentElement.dataset.theme = was.theme;
if (was.speed) $("speed").value = was.speed;
if (was.proof) $("proof").click();
function resume() {
  const number = Math.min(Math.max(0, Number(store.get().sentence) || 0), total - 1);
  open(chapterOf(number), startOf(number));
  return number;
}
if (total) {
  const asked = /^#t=(\d+)$/.exec(location.hash);
  const number = asked ? Math.min(Number(asked[1]), total - 1) : resume();
  if (asked) open(chapterOf(number), startOf(number));
  select(number, false);
  mark(number, -1);
  if (number) span(number).scrollIntoView({block: "center", behavior: "instant"});
}
