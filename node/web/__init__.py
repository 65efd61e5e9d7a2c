"""What the portal and the admin pages share: rendering, translations, connections and the HTTP application. It knows no
page and no use case."""
