// Sends the sign-in form at once; without JavaScript its button does.
document.getElementById("send").submit();
