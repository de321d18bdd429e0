package coding

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"math"
	"testing"

	"github.com/andybalholm/brotli"
)

// What is wrapped is what a reader of the coding unwraps, at every size of a body
// that may be wrapped.
func TestWrappedBodiesComeBack(t *testing.T) {
	for name, tc := range map[string]struct {
		wrap func([]byte) []byte
		open func(io.Reader) (io.Reader, error)
	}{
		"gzip":    {wrapGzip, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
		"deflate": {wrapZlib, func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) }},
		"br":      {wrapBrotli, func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil }},
	} {
		for _, size := range []int{1, 2, 15, 16, 17, 255, 256, 1024, 4096, math.MaxUint16} {
			body := bytes.Repeat([]byte("metropolis"), size/10+1)[:size]
			r, err := tc.open(bytes.NewReader(tc.wrap(body)))
			if err != nil {
				t.Fatalf("%s, %d bytes: %v", name, size, err)
			}
			if out, err := io.ReadAll(r); err != nil || !bytes.Equal(out, body) {
				t.Errorf("%s, %d bytes: %d come back, %v", name, size, len(out), err)
			}
		}
	}
}
