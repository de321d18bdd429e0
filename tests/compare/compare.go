// Package compare compares the answers of two servers. It is exact, but for
// loosenings, each of which has a name.
package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Loosening is a difference between two servers that is not an error.
// Each has a line in docs/equivalence.md.
type Loosening struct {
	Name string
	// Applies tells the questions that have it.
	Applies func(question string) bool
	// Forgives tells whether a difference is of this kind. The path is made of
	// member names and places, such as hits[3].title. got and want are the two
	// values there; nil where there is none.
	Forgives func(path string, got, want any) bool
}

// Of are the loosenings of one question out of a list.
func Of(question string, all []Loosening) []Loosening {
	var out []Loosening
	for _, l := range all {
		if l.Applies(question) {
			out = append(out, l)
		}
	}
	return out
}

// JSON reports how two JSON answers differ beyond the loosenings: exactly,
// down to the text of numbers, but for the order of members. used hears of every
// loosening that was needed; it may be nil.
func JSON(got, want []byte, used func(name string), loose ...Loosening) []string {
	if bytes.Equal(got, want) {
		return nil
	}
	a, errA := exact(got)
	b, errB := exact(want)
	if errA != nil || errB != nil {
		return []string{fmt.Sprintf("no JSON: %v %v", errA, errB)}
	}
	var c comparison
	c.loose, c.used = loose, used
	c.walk("", a, b)
	return c.found
}

func exact(data []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

type comparison struct {
	loose []Loosening
	used  func(name string)
	found []string
}

func (c *comparison) differ(path string, got, want any, format string, args ...any) {
	for _, l := range c.loose {
		if l.Forgives(path, got, want) {
			if c.used != nil {
				c.used(l.Name)
			}
			return
		}
	}
	c.found = append(c.found, path+": "+fmt.Sprintf(format, args...))
}

func (c *comparison) walk(path string, got, want any) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			c.differ(path, got, want, "%s, want %s", show(got), show(want))
			return
		}
		names := maps.Clone(w)
		maps.Copy(names, g)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			at := strings.TrimPrefix(path+"."+name, ".")
			gv, inGot := g[name]
			wv, inWant := w[name]
			if inGot != inWant {
				c.differ(at, gv, wv, "there: %v, want %v", inGot, inWant)
				continue
			}
			c.walk(at, gv, wv)
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			c.differ(path, got, want, "%s, want %s", show(got), show(want))
			return
		}
		for i := range w {
			c.walk(fmt.Sprintf("%s[%d]", path, i), g[i], w[i])
		}
	default:
		if got != want {
			c.differ(path, got, want, "%s, want %s", show(got), show(want))
		}
	}
}

func show(v any) string {
	if list, ok := v.([]any); ok && len(list) > 5 {
		return fmt.Sprintf("a list of %d", len(list))
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data[:min(len(data), 200)])
}
