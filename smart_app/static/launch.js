// Fills in the address of a public sandbox. Everything works without it.
'use strict';

document.documentElement.classList.add('js');
for (const button of document.querySelectorAll('[data-fill]')) {
  button.addEventListener('click', () => {
    const field = document.getElementById('iss');
    field.value = button.dataset.fill;
    field.focus();
  });
}
