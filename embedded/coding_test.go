package embedded_test

import (
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"net/http"

	"github.com/miroir-search/miroir/embedded"
)

func TestAnswersAreCodedAsAskedFor(t *testing.T) {
	c := start(t, embedded.Options{})
	for accept, want := range map[string]string{"": "", "gzip": "gzip", "br": "br", "deflate": "deflate", "identity": ""} {
		req, err := http.NewRequest("GET", "http://node/version", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", accept)
		res, err := c.node.Transport().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Header.Get("Content-Encoding"); got != want {
			t.Errorf("%q is answered with %q", accept, got)
		}
		if want == "gzip" {
			z, err := gzip.NewReader(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if data, err := io.ReadAll(z); err != nil || !strings.Contains(string(data), "pkgVersion") {
				t.Errorf("%s: %v", data, err)
			}
		}
		_ = res.Body.Close()
	}
}
