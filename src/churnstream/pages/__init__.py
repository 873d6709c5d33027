"""What the report and the live page have in common: templates, style and charts."""
