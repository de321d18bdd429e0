package corpus

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// vocabulary is the words of a set's documents.
type vocabulary struct {
	runs   [][]string // words that follow each other in one text
	common []string   // the most frequent words, most frequent first
	rest   []string   // all others, sorted
}

// learn collects words and values from at most 3,000 documents.
func (s *Set) learn() {
	s.words, s.values = &vocabulary{}, map[string][]any{}
	counts := map[string]int{}
	seen := map[string]bool{}
	for i := 0; i < len(s.Docs); i += max(1, len(s.Docs)/3000) {
		var doc map[string]any
		if err := json.Unmarshal(s.Docs[i], &doc); err != nil {
			panic("BUG: a document of " + s.Name + " is no object: " + err.Error())
		}
		for _, field := range s.Text {
			for _, text := range texts(doc[field]) {
				run := strings.FieldsFunc(text, func(r rune) bool {
					return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
				})
				if len(run) > 40 {
					run = run[:40]
				}
				if len(run) > 0 {
					s.words.runs = append(s.words.runs, run)
				}
				for _, w := range run {
					counts[w]++
				}
			}
		}
		for _, field := range slices.Concat(s.Facets, s.Numbers) {
			for _, v := range scalars(doc[field]) {
				id := field + "\x00" + text(v)
				if !seen[id] {
					seen[id] = true
					s.values[field] = append(s.values[field], v)
				}
			}
		}
	}
	all := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	edge := min(len(all), 250)
	s.words.common = all[:edge:edge]
	s.words.rest = slices.Sorted(slices.Values(all[edge:]))
	if len(s.words.rest) == 0 {
		s.words.rest = s.words.common
	}
}

func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, texts(e)...)
		}
		return out
	}
	return nil
}

func scalars(v any) []any {
	switch v := v.(type) {
	case string, float64, bool:
		return []any{v}
	case []any:
		var out []any
		for _, e := range v {
			out = append(out, scalars(e)...)
		}
		return out
	}
	return nil
}

func compacted(raw []byte) json.RawMessage {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		panic("BUG: " + err.Error())
	}
	return b.Bytes()
}

// text is a value as JSON, with < and > as they are.
func text(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("BUG: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// members are the names and values of a JSON object, in their order.
type members []any

// json is the object. A member whose value is nil is left out; write
// json.RawMessage("null") for null.
func (m members) json() string {
	var b strings.Builder
	b.WriteByte('{')
	for i := 0; i < len(m); i += 2 {
		if m[i+1] == nil {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteString(text(m[i]) + ":" + text(m[i+1]))
	}
	b.WriteByte('}')
	return b.String()
}
