"""Webhooks for customers who become likely to leave."""
