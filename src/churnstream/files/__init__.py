"""Files of customers as rows of text, in bounded memory."""
