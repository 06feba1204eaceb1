"""What runs reconstream in production: rules, dashboards, images, manifests."""
