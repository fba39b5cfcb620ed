// Live filters, print and copy. The page is complete without this file: filters are a form, print is the browser's.
'use strict';

document.documentElement.classList.add('js');

const form = document.querySelector('[data-filters]');
const options = [...document.querySelectorAll('.opt')];

function fits(option, chosen) {
  const has = (name, value) => !value || (option.dataset[name] || '').split(' ').includes(value);
  if (!has('target', chosen.get('target'))) return false;
  if (option.dataset.disease && !has('disease', chosen.get('disease'))) return false;
  const status = chosen.get('status');
  if (!status) return true;
  const region = (chosen.get('region') || '').toLowerCase();
  const groups = (region ? [region] : ['us', 'eu'].filter(one => one in option.dataset))
    .flatMap(one => (option.dataset[one] || 'other').split(' '));
  return (groups.length ? groups : ['other']).includes(status);
}

function applyFilters() {
  const chosen = new FormData(form);
  let shown = 0;
  for (const option of options) {
    option.hidden = !fits(option, chosen);
    shown += !option.hidden;
  }
  form.querySelector('[data-shown]').textContent = shown;
  form.querySelector('[data-hidden]').textContent = options.length - shown;
}

if (form) {
  form.addEventListener('change', applyFilters);
  form.addEventListener('submit', event => { event.preventDefault(); applyFilters(); });
  form.querySelector('[data-clear]').addEventListener('click', event => {
    event.preventDefault();
    for (const input of form.querySelectorAll('input')) input.checked = input.value === '';
    applyFilters();
  });
}

for (const button of document.querySelectorAll('[data-print], [data-print-link]')) {
  button.addEventListener('click', event => { event.preventDefault(); window.print(); });
}

document.querySelector('[data-copy]')?.addEventListener('click', async () => {
  const note = document.getElementById('note');
  const said = document.querySelector('[data-copied]');
  note.select();
  try {
    await navigator.clipboard.writeText(note.value);
    said.textContent = 'Copied with name, birth date, record number and time.';
  } catch {
    said.textContent = 'The browser does not let this frame copy. The text is selected: copy it with the keyboard.';
  }
});

// The page as it stands now; a page that answered a form is asked for at its own address, never by sending the form again.
function again() {
  const own = document.body.dataset.self;
  if (own === undefined || location.pathname === own) location.reload();
  else location.replace(own);
}

// What the user stated ends on the server half an hour after it was said: an open page must not show it for longer.
const left = document.body.dataset.statedLeft;
const endsAt = left === undefined ? Infinity : Date.now() + 1000 * Number(left) + 500;
function endStatements() {
  if (Date.now() >= endsAt) again();
  else if (endsAt !== Infinity) setTimeout(endStatements, endsAt - Date.now());
}
endStatements();

// A page brought back from the browser's memory, or hidden for long, may be of a patient who is no longer open.
const IDLE = 15 * 60 * 1000;
let hiddenAt = 0;
document.addEventListener('visibilitychange', () => {
  if (document.hidden) hiddenAt = Date.now();
  else if ((hiddenAt && Date.now() - hiddenAt > IDLE) || Date.now() >= endsAt) again();
});
window.addEventListener('pageshow', event => { if (event.persisted) again(); });
