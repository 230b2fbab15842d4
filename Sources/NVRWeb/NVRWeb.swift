// NVRWeb is the HTTP side of the product: the list of routes, who may call them, JSON in and out, media with byte ranges, the page.
