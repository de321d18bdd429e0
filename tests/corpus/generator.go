package corpus

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
)

// generator makes the questions to one loaded set.
type generator struct {
	*rand.Rand
	set     *Set
	variant Variant
	index   string
}

// maker makes the questions of one feature. share is how many of them there are
// in a round.
type maker struct {
	feature string
	share   int
	fits    func(*generator) bool
	make    func(*generator) Question
}

func pick[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

// chance is true once in n times.
func (g *generator) chance(n int) bool { return g.IntN(n) == 0 }

// word is a word of the documents, half of the time a frequent one.
func (g *generator) word() string {
	if g.chance(2) {
		return pick(g, g.set.words.common)
	}
	if g.chance(2) {
		return pick(g, pick(g, g.set.words.runs))
	}
	return pick(g, g.set.words.rest)
}

// frequent is a word that many documents have.
func (g *generator) frequent() string {
	return pick(g, g.set.words.common[:min(60, len(g.set.words.common))])
}

// longWord is a word of at least n letters, if one is found soon.
func (g *generator) longWord(n int) string {
	w := g.word()
	for range 30 {
		if len([]rune(w)) >= n {
			return w
		}
		w = g.word()
	}
	return w
}

// run is n words, or fewer, that follow each other in a document.
func (g *generator) run(n int) []string {
	for range 20 {
		if r := pick(g, g.set.words.runs); len(r) >= n {
			at := g.IntN(len(r) - n + 1)
			return slices.Clone(r[at : at+n])
		}
	}
	return slices.Clone(pick(g, g.set.words.runs))
}

// query is one to four words, from one place or from several.
func (g *generator) query() string {
	switch g.IntN(5) {
	case 0:
		return g.frequent()
	case 1:
		return g.word()
	case 2:
		return g.frequent() + " " + g.word()
	}
	return strings.Join(g.run(2+g.IntN(3)), " ")
}

// damaged is a word with n slips of the finger.
func (g *generator) damaged(word string, n int) string {
	r := []rune(word)
	for range n {
		if len(r) < 2 {
			break
		}
		at := 1 + g.IntN(len(r)-1)
		if g.chance(8) {
			at = 0
		}
		letter := rune('a' + g.IntN(26))
		switch g.IntN(4) {
		case 0:
			r = slices.Delete(r, at, at+1)
		case 1:
			r = slices.Insert(r, at, letter)
		case 2:
			r[at] = letter
		default:
			if at+1 < len(r) {
				r[at], r[at+1] = r[at+1], r[at]
			} else {
				r[at], r[at-1] = r[at-1], r[at]
			}
		}
	}
	return string(r)
}

// cut is the beginning of a word.
func (g *generator) cut(word string) string {
	r := []rune(word)
	if len(r) < 2 {
		return word
	}
	return string(r[:1+g.IntN(len(r)-1)])
}

// few is what to retrieve when the documents themselves are not the point.
func (g *generator) few() []string { return []string{g.set.Key, g.set.Text[0]} }

// page is nothing, or members of one of the two ways of paging.
func (g *generator) page() members {
	switch g.IntN(8) {
	case 0:
		return members{"limit", 1 + g.IntN(12)}
	case 1:
		return members{"limit", 5, "offset", 1 + g.IntN(40)}
	case 2:
		return members{"page", 1 + g.IntN(4), "hitsPerPage", 1 + g.IntN(15)}
	case 3:
		return members{"hitsPerPage", 7}
	}
	return nil
}

// search is a POST to the index's search route.
func (g *generator) search(parts ...members) Question {
	return g.post("/search", parts...)
}

func (g *generator) post(route string, parts ...members) Question {
	return Question{Method: "POST", Path: "/indexes/" + g.index + route, Body: slices.Concat(parts...).json()}
}

func (g *generator) get(route string) Question {
	return Question{Method: "GET", Path: "/indexes/" + g.index + route}
}

// doc is a random document, decoded.
func (g *generator) doc() map[string]any {
	var doc map[string]any
	if err := json.Unmarshal(pick(g, g.set.Docs), &doc); err != nil {
		panic("BUG: " + err.Error())
	}
	return doc
}

// id is the id of a random document, as text.
func (g *generator) id() string {
	switch id := g.doc()[g.set.Key].(type) {
	case string:
		return id
	default:
		return text(id)
	}
}
