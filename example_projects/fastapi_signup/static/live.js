// Show what has become of the letters as soon as the server knows.
"use strict";

const letters = document.getElementById("letters");
const connection = document.getElementById("connection");

function tellTimes() {
  for (const time of letters.querySelectorAll("time")) {
    time.textContent = new Date(time.dateTime).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  }
}

const events = new EventSource(letters.dataset.events);
events.addEventListener("letters", (event) => {
  letters.innerHTML = event.data; // From this server's own template.
  tellTimes();
});
events.onopen = () => { connection.textContent = "This page shows news as it comes."; };
events.onerror = () => {
  connection.textContent = events.readyState === EventSource.CLOSED
    ? "There is no connection any more. Load this page again for news."
    : "There is no connection at the moment. We try again.";
};
tellTimes();
