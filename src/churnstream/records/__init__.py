"""What travels: events, predictions, dead letters, rejections."""
