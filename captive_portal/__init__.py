"""The captive portal: HTTP and HTTPS for captured and authorized clients, with a page about usage and
limits."""
