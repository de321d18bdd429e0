// Package coding encodes answers as the Accept-Encoding of their request allows.
package coding

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
)

// Compressor encodes answers as the client's Accept-Encoding allows. Levels are
// the cheapest ones: a server has better uses for its processor. It may be used
// by many goroutines once its fields are set.
type Compressor struct {
	// Min is the size up to which bodies are wrapped in the coding without being
	// made smaller: a client that asks for a coding may rely on it, but there is
	// little to gain. At most 64 KiB; negative: all bodies go out as they are.
	Min int
	// Vary is the header of answers that may depend on Accept-Encoding.
	Vary  []string
	pools [3]sync.Pool
}

// The codings in order of preference at equal weight.
var codings = [...]struct {
	name   []string
	wrap   func(body []byte) []byte
	create func(io.Writer) resettable
}{
	{[]string{"gzip"}, wrapGzip, func(w io.Writer) resettable {
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is valid
		return z
	}},
	{[]string{"br"}, wrapBrotli, func(w io.Writer) resettable { return brotli.NewWriterLevel(w, brotli.BestSpeed) }},
	{[]string{"deflate"}, wrapZlib, func(w io.Writer) resettable {
		z, _ := zlib.NewWriterLevel(w, zlib.BestSpeed) // the level is valid
		return z
	}},
}

type resettable interface {
	io.WriteCloser
	Reset(w io.Writer)
}

// packed is one reusable encoder with its output.
type packed struct {
	out bytes.Buffer
	enc resettable
}

// largestPooled keeps a rare huge answer from staying in memory.
const largestPooled = 4 << 20

// Encode returns body in the best coding that the request accepts and sets the
// answer's headers. release must be called when the bytes are no longer used.
func (z *Compressor) Encode(answer, request http.Header, body []byte) (encoded []byte, release func()) {
	nothing := func() {}
	if z.Min < 0 || len(body) == 0 {
		return body, nothing
	}
	answer["Vary"] = z.Vary
	accept := request["Accept-Encoding"]
	if len(accept) == 0 {
		return body, nothing
	}
	at := negotiate(strings.Join(accept, ","))
	if at < 0 {
		return body, nothing
	}
	if len(body) <= min(z.Min, math.MaxUint16) {
		answer["Content-Encoding"] = codings[at].name
		return codings[at].wrap(body), nothing
	}
	p, ok := z.pools[at].Get().(*packed)
	if !ok {
		p = &packed{}
		p.enc = codings[at].create(&p.out)
	}
	p.out.Reset()
	p.enc.Reset(&p.out)
	release = func() {
		if p.out.Cap() <= largestPooled {
			z.pools[at].Put(p)
		}
	}
	if _, err := p.enc.Write(body); err != nil { // a buffer takes everything
		return body, nothing
	}
	if err := p.enc.Close(); err != nil {
		return body, nothing
	}
	answer["Content-Encoding"] = codings[at].name
	return p.out.Bytes(), release
}

// negotiate finds the coding with the highest weight; -1 means none.
func negotiate(accept string) int {
	weights := [len(codings)]float64{}
	star, named := 0.0, [len(codings)]bool{}
	for part := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		q := weight(params)
		if name == "*" {
			star = q
			continue
		}
		for i := range codings {
			if name == codings[i].name[0] || i == 0 && name == "x-gzip" {
				weights[i], named[i] = q, true
			}
		}
	}
	best, most := -1, 0.0
	for i := range codings {
		if !named[i] {
			weights[i] = star
		}
		if weights[i] > most {
			best, most = i, weights[i]
		}
	}
	return best
}

func weight(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		if v, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(p)), "q="); ok {
			q, err := strconv.ParseFloat(v, 64)
			if err != nil || q < 0 || q > 1 {
				return 0
			}
			return q
		}
	}
	return 1
}
