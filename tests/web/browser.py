"""Headless Chromium through its driver, with nothing but the standard library."""
import base64
import json
import os
import socket
import subprocess
import time
import urllib.request

DRIVER = "chromedriver"


class Browser:
    """A browser for a `with` block. Every console message is kept with its level."""

    def __init__(self):
        self.driver, self.session = None, None
        # No proxy: the driver is on this machine.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __enter__(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.driver = subprocess.Popen([DRIVER, f"--port={self.port}", "--silent"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        try:
            self.wait_for_driver()
            arguments = ["--headless", "--disable-gpu", "--disable-dev-shm-usage"]
            if os.geteuid() == 0:
                arguments.append("--no-sandbox")  # Chromium's sandbox does not work as root
            answer = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {
                "goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}}})
            self.session = "/session/" + answer["sessionId"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            if self.session:
                self.ask("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait()

    def wait_for_driver(self):
        for _ in range(600):
            try:
                return self.ask("GET", "/status")
            except OSError:
                if self.driver.poll() is not None:
                    break
                time.sleep(.05)
        raise RuntimeError(f"{DRIVER} does not answer")

    def ask(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        return json.load(self.opener.open(request, timeout=60))["value"]

    def devtools(self, command, **parameters):
        return self.ask("POST", self.session + "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def look(self, width=1200, height=900, dark=False, media=""):
        """The window's size, the colours that the reader prefers, and screen or print."""
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                      mobile=False)
        self.devtools("Emulation.setEmulatedMedia", media=media,
                      features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, url):
        self.ask("POST", self.session + "/url", {"url": url})

    def run(self, script, *arguments):
        return self.ask("POST", self.session + "/execute/sync", {"script": script, "args": list(arguments)})

    def picture(self, path, whole=True):
        """A screenshot, of the whole page or of the window."""
        if whole:
            box = self.devtools("Page.getLayoutMetrics")["cssContentSize"]
            data = self.devtools("Page.captureScreenshot", captureBeyondViewport=True,
                                 clip={"x": 0, "y": 0, "width": box["width"], "height": box["height"],
                                       "scale": 1})["data"]
        else:
            data = self.ask("GET", self.session + "/screenshot")
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))

    def messages(self):
        """(level, text) of what the console was told since the last call."""
        return [(m["level"], m["message"]) for m in self.ask("POST", self.session + "/se/log", {"type": "browser"})]
