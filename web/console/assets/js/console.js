// What the console's pages do beyond links and forms. Everything works without
// it, but for live updates and the warning before a session ends.
(() => {
  'use strict';
  const one = (selector) => document.querySelector(selector);

  // "/" goes to the search field, unless somebody is typing.
  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest('input, textarea, select, [contenteditable]')) return;
    const field = one('#search');
    if (field) { event.preventDefault(); field.focus(); }
  });

  // An error summary is what the reader has to see first.
  one('[data-focus]')?.focus();

  // A one-time link has its key behind the #, which browsers send nowhere: it is
  // taken into the form, and out of the address so that no history keeps it.
  const link = one('[data-from-link]');
  if (link && location.hash.length > 1) {
    link.querySelector('input').value = location.hash.slice(1);
    link.hidden = true;
    history.replaceState(null, '', location.pathname);
  }

  // On paper nothing can be opened, so that all is.
  let opened = [];
  window.addEventListener('beforeprint', () => {
    opened = [...document.querySelectorAll('details:not([open])')];
    opened.forEach((d) => { d.open = true; });
  });
  window.addEventListener('afterprint', () => opened.forEach((d) => { d.open = false; }));

  // Live updates can be paused: what moves must be stoppable.
  let paused = false;
  one('[data-pause]')?.addEventListener('click', (event) => {
    paused = !paused;
    event.currentTarget.setAttribute('aria-pressed', String(paused));
    event.currentTarget.textContent = paused ? 'Go on with live updates' : 'Pause live updates';
  });
  document.addEventListener('htmx:sse:before:message', (event) => { if (paused && !event.detail.message.event) event.preventDefault(); });
  document.addEventListener('signed-out', () => location.reload());

  // Copy what a button names.
  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-copy]');
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    navigator.clipboard?.writeText(source.textContent.trim()).then(() => { button.textContent = 'Copied'; });
  });

  // While the next page is awaited this one says so, once that takes longer than
  // a moment, and sends no form twice.
  const loading = one('#loading');
  const main = one('main');
  let awaited;
  const over = () => {
    clearTimeout(awaited);
    awaited = undefined;
    main.removeAttribute('aria-busy');
    loading.textContent = '';
  };
  const leaving = () => {
    if (!loading || awaited) return;
    main.setAttribute('aria-busy', 'true');
    awaited = setTimeout(() => {
      loading.textContent = 'Loading…';
      awaited = setTimeout(over, 30000); // the server has given up by then
    }, 300);
  };
  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[href]');
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const to = new URL(link.href, location.href);
    const here = to.pathname === location.pathname && to.search === location.search && to.hash;
    const file = link.hasAttribute('download') || /\.[a-z]+$/.test(to.pathname);
    if (to.origin === location.origin && !here && !file && !link.target) leaving();
  });
  document.addEventListener('submit', (event) => {
    if (awaited) { event.preventDefault(); return; }
    if (!event.defaultPrevented) leaving();
  });
  window.addEventListener('pageshow', (event) => { if (event.persisted && loading) over(); });

  // A warning before the session ends for want of activity, and the sign-in
  // page once it has, which brings the reader back here.
  const dialog = one('#idle');
  if (!dialog) return;
  const idle = Number(dialog.dataset.idle) * 1000;
  const warn = Number(dialog.dataset.warn) * 1000;
  const end = Number(dialog.dataset.end) * 1000;
  const left = one('#idle-left');
  const started = Date.now();
  let seen = started;
  const deadline = () => Math.min(seen + idle, started + end);
  document.addEventListener('htmx:after:request', (event) => {
    if (!event.target.closest?.('[hx-sse\\:connect]')) seen = Date.now();
  });
  one('#idle-stay').addEventListener('click', async () => {
    const answer = await fetch('/console/session', { headers: { Accept: 'application/json' } });
    if (!answer.ok) { location.reload(); return; }
    seen = Date.now();
    dialog.close();
  });
  // A half-filled form is sent to be kept, not to be done, and is there again
  // after the next sign-in.
  const leave = () => {
    const form = one('form.form');
    if (!form) { location.reload(); return; }
    const hold = document.createElement('input');
    hold.type = 'hidden'; hold.name = 'hold'; hold.value = '1';
    form.append(hold);
    form.submit();
  };
  setInterval(() => {
    const rest = deadline() - Date.now();
    if (rest <= 0) { leave(); return; }
    if (rest > idle - warn && deadline() === seen + idle || rest > 120000 && deadline() !== seen + idle) return;
    left.textContent = String(Math.ceil(rest / 1000));
    if (!dialog.open) dialog.showModal();
  }, 1000);
})();
