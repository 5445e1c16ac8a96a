// What the page does beyond links and forms: it takes in what arrives, listens to keys, and remembers light or dark.
// Everything else works without it.
"use strict";

(() => {
  const root = document.documentElement;
  const find = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const SHOWN = 200; // rows that a list grows to while one looks

  // Light or dark: decided before anything is drawn.

  const remembered = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  if (["light", "dark"].includes(remembered())) root.dataset.theme = remembered();

  function switchTheme() {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* it holds for this page then */ }
  }

  // What arrives.

  function rowsIn(html) {
    const template = document.createElement("template");
    template.innerHTML = html; // made by our own server, which has escaped everything in it
    return all("li.row", template.content);
  }

  function announce(count, newest) {
    const subject = find(".subject", newest)?.textContent.trim() || "";
    find("#told").textContent = count === 1 ? `New message: ${subject}` : `${count} new messages`;
  }

  function insert(list, rows) {
    const fresh = rows.filter((row) => !find(`li[data-id="${CSS.escape(row.dataset.id)}"]`, list));
    for (const row of fresh.reverse()) { // the newest first in the list, so that the oldest of them goes in first
      row.classList.add("fresh");
      const below = all("li.row", list).find((there) => Number(there.dataset.id) < Number(row.dataset.id));
      list.insertBefore(row, below || null);
    }
    while (list.children.length > SHOWN) list.lastElementChild.remove();
    if (fresh.length) announce(fresh.length, list.firstElementChild);
  }

  function reconcile(list, page) {
    const there = new Map(all("#rows > li", page).map((row) => [row.dataset.id, row]));
    const lowest = Math.min(...[...there.keys()].map(Number));
    for (const row of all("li.row", list)) {
      const now = there.get(row.dataset.id);
      if (!now ? !there.size || Number(row.dataset.id) >= lowest || !find("a[rel=next]", page) : false) {
        keepFocus(row);
        row.remove();
      } else if (now && now.dataset.seen !== row.dataset.seen) {
        const held = row.contains(document.activeElement);
        row.replaceWith(now);
        if (held) find("a.open", now).focus();
      }
    }
    insert(list, [...there.values()]);
    find("#count").replaceWith(find("#count", page));
    document.title = page.title;
    find("#act [name=csrf]").value = find("#act [name=csrf]", page).value; // the server may have been started again
  }

  function keepFocus(row) {
    if (row.contains(document.activeElement)) {
      (find("a.open", row.nextElementSibling || row.previousElementSibling || document.body) || find("#main")).focus();
    }
  }

  let asking = 0;
  async function refresh(list) {
    const number = ++asking;
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok || number !== asking) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const structural = !list.children.length || find("#empty") || !find("#rows > li", page);
    if (structural && find("#main", page)) { // from nothing to something or back: the whole of it changes
      find("#main").replaceWith(find("#main", page));
      document.title = page.title;
      const rows = all("#rows > li");
      rows.forEach((row) => row.classList.add("fresh"));
      if (rows.length) announce(rows.length, rows[0]);
      ready(find("#main"));
    } else {
      reconcile(list, page);
    }
  }

  let waiting = 0;
  function soon() {
    const list = find("#rows");
    if (!list || list.dataset.before || waiting) return;
    waiting = setTimeout(() => {
      waiting = 0;
      refresh(find("#rows")).catch(() => { /* the stream says when the server is gone */ });
    }, 60);
  }

  function listen() {
    const sign = find("#live");
    const { query, latest, total, unread } = find("#rows").dataset;
    const stream = new EventSource(`/events?${new URLSearchParams({ after: latest, ...(query && { q: query }) })}`);
    let broken = false;
    let counts = `${total} ${unread}`;
    sign.hidden = false;
    sign.textContent = "connecting";
    stream.onopen = () => {
      sign.textContent = "live";
      sign.classList.add("on");
      if (broken) soon();
      broken = false;
    };
    stream.onerror = () => {
      broken = true;
      sign.textContent = "not connected";
      sign.classList.remove("on");
    };
    stream.addEventListener("rows", (event) => {
      const list = find("#rows");
      if (list && !list.dataset.before && list.children.length) insert(list, rowsIn(event.data));
    });
    stream.addEventListener("count", (event) => {
      const now = JSON.parse(event.data);
      if (counts !== `${now.total} ${now.unread}`) soon(); // something arrived, went, or was looked at
      counts = `${now.total} ${now.unread}`;
    });
    addEventListener("pagehide", () => stream.close());
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }

  // Keys.

  const rows = () => all("#rows a.open");
  const press = (selector) => { const found = find(selector); if (found) found.click(); return Boolean(found); };
  const current = () => document.activeElement?.closest("li.row");

  function step(by) {
    const list = rows();
    if (!list.length) return press(by > 0 ? "#older" : "#newer");
    const at = list.indexOf(current() ? find("a.open", current()) : null);
    const next = list[at < 0 ? (by > 0 ? 0 : list.length - 1) : Math.min(Math.max(at + by, 0), list.length - 1)];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
    return true;
  }

  async function post(path, fields) {
    const body = new URLSearchParams({ csrf: find("#act [name=csrf]").value, ...fields });
    const answer = await fetch(path, { method: "POST", body });
    if (!answer.ok) location.reload();
    soon();
  }

  function mark() {
    const row = current();
    if (!row) return press("#mark");
    post(`/m/${row.dataset.id}/mark`, { seen: row.dataset.seen === "1" ? "0" : "1" });
    return true;
  }

  function remove() {
    const row = current();
    if (!row) return press("#delete");
    keepFocus(row);
    row.remove();
    post(`/m/${row.dataset.id}/delete`, {});
    return true;
  }

  function search() { find("#q").focus(); find("#q").select(); return true; }
  function help() { const box = find("#help"); if (box.open) box.close(); else box.showModal(); return true; }
  const to = (path) => () => { location.href = path; return true; };

  const KEYS = {
    "/": search, "?": help, t: () => { switchTheme(); return true; },
    j: () => step(1), k: () => step(-1), ArrowDown: () => rows().length > 0 && step(1), ArrowUp: () => rows().length > 0 && step(-1),
    o: () => Boolean(current()) && (find("a.open", current()).click(), true),
    u: () => press("#back"), m: mark, d: remove, Delete: remove,
    gi: to("/"), gc: to("/charts"), gf: to("/faults"),
  };

  let before = "";
  function heard(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "Escape") {
      all("details.pop[open]").forEach((one) => { one.open = false; });
      if (typing) typing.blur();
      return;
    }
    if (typing || (find("#help").open && event.key !== "?")) return;
    const view = event.key >= "1" && event.key <= "9" && find(`.views a[data-key="${event.key}"]`);
    const act = view ? () => (view.click(), true) : KEYS[before + event.key] || KEYS[event.key];
    before = event.key === "g" ? "g" : "";
    if (act && act()) event.preventDefault();
  }

  // The rest.

  function ready(within) {
    for (const button of all(".copy", within)) {
      button.hidden = !navigator.clipboard;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(find("pre", button.parentElement).textContent);
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 1500);
      });
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const [id, act] of [["#theme", switchTheme], ["#keys", help]]) {
      find(id).hidden = false;
      find(id).addEventListener("click", act);
    }
    document.addEventListener("keydown", heard);
    document.addEventListener("click", (event) => {
      all("details.pop[open]").forEach((one) => { if (!one.contains(event.target)) one.open = false; });
    });
    ready(document);
    if (find("#rows")) listen();
  });
})();
