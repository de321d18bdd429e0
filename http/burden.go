package http

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/rawjson"
)

// What a small request may cost: the memory of the values of its JSON, the queries of
// a multi-search, the conditions of a filter.

const (
	// valueBytes is about what one value of a parsed JSON text takes.
	valueBytes = 200
	// lightBody is the memory for values that a request gets without asking for it.
	lightBody = 1 << 20
	// shortBody is the size up to which a filter cannot have too many conditions.
	shortBody = 16 << 10
)

// parse reads a JSON text that was sent, whose values take their part of the budget of
// bodies.
func (c *call) parse(body []byte) (api.Value, error) {
	values := int64(1 + bytes.Count(body, []byte{','}) + 2*bytes.Count(body, []byte{'['}) + 2*bytes.Count(body, []byte{'{'}))
	if need := values * valueBytes; need > lightBody {
		if int64(len(body))+need > c.s.opts.MaxBodies {
			c.s.metrics.overLimit.WithLabelValues("values").Inc()
			return api.Value{}, api.Errorf("payload_too_large", "The JSON payload has too many values to be read at once (about %d). Send it in parts.", values)
		}
		if err := c.hold(int64(len(body)) + need); err != nil {
			return api.Value{}, err
		}
	}
	v, err := api.ParseJSON(body)
	if err != nil {
		return api.Value{}, malformed(err)
	}
	return v, nil
}

// checkQueries refuses more queries of a multi-search than are answered at once.
func (c *call) checkQueries(v *api.Value) error {
	queries, _ := v.Get("queries")
	if n := len(queries.Arr); n > c.s.opts.MaxQueries {
		c.s.metrics.overLimit.WithLabelValues("queries").Inc()
		return api.Errorf("payload_too_large", "A multi-search has at most %d queries, this one has %d. Send it in parts.", c.s.opts.MaxQueries, n)
	}
	return nil
}

// checkFilterIn refuses a body whose filter has more conditions than nodes shall work
// on: what they cost grows with the square of their number. code is that of the
// filter. A body that is no JSON is somebody else's to refuse.
func (c *call) checkFilterIn(body []byte, code string) error {
	if len(body) <= shortBody {
		return nil
	}
	raw, found := rawjson.Get(body, "filter")
	if !found || len(raw) <= shortBody {
		return nil
	}
	v, err := c.parse(raw)
	if err != nil {
		return err
	}
	return c.checkFilter(&v, code)
}

// checkFilter is checkFilterIn for a filter; nil is none.
func (c *call) checkFilter(v *api.Value, code string) error {
	if v == nil {
		return nil
	}
	if n := conditions(v); n > c.s.opts.MaxConditions {
		c.s.metrics.overLimit.WithLabelValues("conditions").Inc()
		return api.Errorf(code, "A filter has at most %d conditions, this one has about %d. Write those of one attribute as `attribute IN [...]`.",
			c.s.opts.MaxConditions, n)
	}
	return nil
}

// conditions counts about how many a filter has: those of each text are one more than
// its words AND and OR.
func conditions(v *api.Value) (n int) {
	for i := range v.Arr {
		n += conditions(&v.Arr[i])
	}
	if v.Kind != api.String {
		return n
	}
	n = 1
	letter := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' }
	for word := range strings.FieldsFuncSeq(v.Str, letter) {
		if strings.EqualFold(word, "and") || strings.EqualFold(word, "or") {
			n++
		}
	}
	return n
}
