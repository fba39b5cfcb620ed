"""The chart as a clinician sees it: patient list, summary, side panel of cards, orders, the app in a frame."""
