package api

import "testing"

// The words were compared with a real server's.
func TestURLsOfWebhooks(t *testing.T) {
	for text, want := range map[string]string{
		"http://a": "", "HTTP://A/b?c#d": "", "http:a": "", "http:///a": "", `http://a\b`: "", "http://user:pass@a:1/": "", "http://[::1]": "", "http://[::1]:80/a": "", "http://é": "",
		"mailto:x": "", "file:///x": "", "javascript:1": "", "http://1.2.3.4": "", "http://1": "", "http://1.2.3.65535": "invalid IPv4 address", "http://1.2.65535": "", "http://a.1": "invalid IPv4 address",
		"http://1.2.3.4.5": "invalid IPv4 address", "http://256.1.1.1": "invalid IPv4 address", "http://[::1": "invalid IPv6 address", "http://[1.2.3.4]": "invalid IPv6 address",
		"": "relative URL without a base", "//a": "relative URL without a base", "a b:": "relative URL without a base", "http://": "empty host", "ftp://": "empty host", "http://?x": "empty host",
		"http://user@": "empty host", "http://a:99999": "invalid port number", "http://a b/": "invalid international domain name",
	} {
		if got := BadURL(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
