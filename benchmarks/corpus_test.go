package benchmarks

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpus is a set of documents and the questions asked of it.
type corpus struct {
	name     string
	bodies   [][]byte // documents, in parts as they are sent
	count    int
	words    int
	settings string
	kinds    []kind
}

// kind is one sort of query: bodies of POST /search.
type kind struct {
	name    string
	queries []string
}

// perKind is how many different queries there are of a kind.
const perKind = 100

// partSize is how many documents are sent at once.
const partSize = 20_000

// synthetic makes n documents of ten words each. Words follow Zipf's law, as those of people do.
func synthetic(n int) *corpus {
	rng := rand.New(rand.NewPCG(1, 2))
	list := vocabulary(rng, 40_000)
	zipf := rand.NewZipf(rng, 1.07, 8, uint64(len(list)-1))
	word := func() string { return list[zipf.Uint64()] }
	phrase := func(k int) string {
		out := make([]string, k)
		for i := range out {
			out[i] = word()
		}
		return strings.Join(out, " ")
	}
	c := &corpus{name: "synthetic", count: n, words: 10 * n,
		settings: `{"searchableAttributes":["title","text"],"filterableAttributes":["tags","year"],"sortableAttributes":["year","price"]}`}
	var titles, texts []string
	for at := 0; at < n; at += partSize {
		var b bytes.Buffer
		b.WriteByte('[')
		for i := at; i < min(at+partSize, n); i++ {
			if i > at {
				b.WriteByte(',')
			}
			title, text := phrase(3), phrase(7)
			titles, texts = append(titles, title), append(texts, text)
			fmt.Fprintf(&b, `{"id":%d,"title":%q,"text":%q,"tags":["t%d","t%d"],"year":%d,"price":%d.%02d}`, i, title, text, rng.IntN(40), 40+rng.IntN(160),
				1950+rng.IntN(75), rng.IntN(500), rng.IntN(100))
		}
		b.WriteByte(']')
		c.bodies = append(c.bodies, b.Bytes())
	}
	c.kinds = kinds(rng, titles, texts, word, `"tags = t%d AND year > 1990"`, `["tags","year"]`, 40)
	return c
}

// vocabulary makes words of two to four syllables, so that prefixes are shared and misspelt words have neighbours.
func vocabulary(rng *rand.Rand, n int) []string {
	syllables := strings.Fields("ba be bi bo bu ca ce ci co da de di do du fa fe fi fo ga ge gi go ha he hi ho ka ke ki ko la le li lo lu ma me mi mo mu na ne ni no nu " +
		"pa pe pi po ra re ri ro ru sa se si so su ta te ti to tu va ve vi vo ran ber ster ton min dor lan gar tis mer")
	seen := make(map[string]bool, n)
	out := make([]string, 0, n)
	for len(out) < n {
		w := ""
		for range 2 + rng.IntN(3) {
			w += syllables[rng.IntN(len(syllables))]
		}
		if !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	return out
}

// films are the films of the public data set, each several times under another id; nil without the data set. MIROIR_DATA
// names its directory; else it is looked for beside the module.
func films(tb testing.TB, times int) *corpus {
	dir := os.Getenv("MIROIR_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	f, err := os.Open(filepath.Join(dir, "movies.json.gz"))
	if err != nil {
		return nil
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	var docs []map[string]any
	if err := json.NewDecoder(z).Decode(&docs); err != nil {
		tb.Fatal(err)
	}
	c := &corpus{name: "films", count: times * len(docs),
		settings: `{"searchableAttributes":["title","overview","cast","genres"],"filterableAttributes":["genres","year"],"sortableAttributes":["year"]}`}
	var titles, texts []string
	for _, d := range docs {
		title, _ := d["title"].(string)
		text, _ := d["overview"].(string)
		titles, texts = append(titles, title), append(texts, text)
		c.words += times * (len(strings.Fields(title)) + len(strings.Fields(text)))
	}
	for k := range times {
		for at := 0; at < len(docs); at += partSize {
			part := docs[at:min(at+partSize, len(docs))]
			for i := range part {
				part[i]["id"] = k*len(docs) + at + i
			}
			body, err := json.Marshal(part)
			if err != nil {
				tb.Fatal(err)
			}
			c.bodies = append(c.bodies, body)
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	word := func() string {
		for {
			list := strings.Fields(titles[rng.IntN(len(titles))])
			if len(list) > 0 {
				return strings.Trim(list[rng.IntN(len(list))], `.,:;!?"'()`)
			}
		}
	}
	c.kinds = kinds(rng, titles, texts, word, `"genres = Drama AND year > %d"`, `["genres","year"]`, 2020)
	return c
}

// kinds makes up the queries of a corpus.
func kinds(rng *rand.Rand, titles, texts []string, word func() string, filter, facets string, most int) []kind {
	body := func(q, more string) string {
		text, _ := json.Marshal(q) // a string always encodes
		return `{"q":` + string(text) + more + `}`
	}
	neighbours := func(k int) string { // words that stand together somewhere
		for {
			list := strings.Fields(texts[rng.IntN(len(texts))])
			if len(list) > k {
				at := rng.IntN(len(list) - k)
				return strings.Join(list[at:at+k], " ")
			}
		}
	}
	long := func() string {
		for {
			if w := word(); len(w) >= 6 {
				return w
			}
		}
	}
	misspelt := func() string {
		w := []byte(strings.ToLower(long()))
		i := 2 + rng.IntN(len(w)-3)
		w[i], w[i+1] = w[i+1], w[i]
		return string(w)
	}
	prefix := func() string { w := []rune(long()); return string(w[:3+rng.IntN(2)]) }
	make100 := func(name string, f func() string) kind {
		k := kind{name: name}
		for range perKind {
			k.queries = append(k.queries, f())
		}
		return k
	}
	return []kind{
		make100("one word", func() string { return body(word(), "") }),
		make100("two words", func() string { return body(neighbours(2), "") }),
		make100("three words", func() string { return body(neighbours(3), "") }),
		make100("a title", func() string { return body(titles[rng.IntN(len(titles))], "") }),
		make100("a beginning", func() string { return body(prefix(), "") }),
		make100("a misspelt word", func() string { return body(misspelt(), "") }),
		make100("a phrase", func() string { return body(`"`+strings.ReplaceAll(neighbours(2), `"`, "")+`"`, "") }),
		make100("filter and facets", func() string {
			return body(word(), `,"filter":`+fmt.Sprintf(filter, rng.IntN(most))+`,"facets":`+facets)
		}),
		make100("sort", func() string { return body(word(), `,"sort":["year:desc"]`) }),
		make100("no words but facets", func() string { return body("", `,"facets":`+facets) }),
	}
}
