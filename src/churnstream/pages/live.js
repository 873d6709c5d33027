// The live page: takes the pieces that the server pushes, and keeps focus and theme.
"use strict";

const THEMES = ["auto", "light", "dark"];

function showTheme() {
  const theme = localStorage.getItem("theme") ?? "auto";
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  if (button) button.textContent = "Theme: " + theme;
}

function nextTheme() {
  const theme = localStorage.getItem("theme") ?? "auto";
  localStorage.setItem("theme", THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
  showTheme();
}

function show(name, html) {
  const element = document.getElementById(name);
  if (!element) return;
  // Whoever moves by keyboard stays where he is, although the element is a new one.
  const active = document.activeElement;
  // Nor does anybody lose what he is typing; the form is shown anew when he is done.
  if (element.contains(active) && active.matches("input, select")) return;
  const key = element.contains(active) ? active.dataset.key : null;
  element.innerHTML = html;
  if (key) element.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

function cutOff() {
  show("status", '<div class="banner" role="status"><b>This page has lost its server.</b> ' +
    "Is churnstream dashboard still running? It tries again by itself.</div>" +
    '<span class="state bad">stale</span>');
}

function listen() {
  const changes = new EventSource("/changes" + location.search);
  changes.onmessage = (message) => {
    for (const [name, html] of Object.entries(JSON.parse(message.data))) show(name, html);
  };
  changes.onerror = () => {
    cutOff();
    if (changes.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  };
  addEventListener("pagehide", () => changes.close(), { once: true });
}

showTheme();
addEventListener("DOMContentLoaded", () => {
  showTheme();
  document.getElementById("theme").addEventListener("click", nextTheme);
  document.addEventListener("change", (event) => event.target.form?.requestSubmit());
  listen();
});
