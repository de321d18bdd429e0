package http

import (
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/miroir-search/miroir/api"
)

// maxIdempotencyKey is the length of the longest key, in bytes.
const maxIdempotencyKey = 255

// idempotencyKey reads the Idempotency-Key header; "" when there is none.
func idempotencyKey(header []string) (string, error) {
	switch {
	case len(header) == 0:
		return "", nil
	case len(header) > 1:
		return "", api.NewError("bad_request", "The Idempotency-Key header was sent more than once.")
	}
	key := header[0]
	ok := key != "" && len(key) <= maxIdempotencyKey
	for i := 0; ok && i < len(key); i++ {
		ok = key[i] >= ' ' && key[i] <= '~'
	}
	if !ok {
		return "", api.Errorf("bad_request",
			"The Idempotency-Key header must have 1 to %d printable ASCII characters.", maxIdempotencyKey)
	}
	return key, nil
}

// fingerprint tells the request from others with the same idempotency key: by its
// method, path, query, type and decoded body.
func (c *call) fingerprint() string {
	r := c.c.Request()
	essence, _, _ := mediaType(r.Header)
	h := sha256.New()
	for _, part := range []string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, essence} {
		_, _ = fmt.Fprintf(h, "%d:", len(part)) // a hash takes everything, c.sum too
		_, _ = io.WriteString(h, part)
	}
	_, _ = c.sum.Write(c.body)
	return string(c.sum.Sum(h.Sum(nil)))
}
