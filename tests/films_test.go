package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/meilisearch/meilisearch-go"
	"golang.org/x/text/unicode/norm"

	"github.com/miroir-search/miroir/tests/compare"
	"github.com/miroir-search/miroir/tests/fleet"
)

// film is what the tests need to know of a document, and its text.
type film struct {
	ID     int
	Title  string
	Genres []string
	Year   int
	raw    json.RawMessage
}

// films reads every film, or every step-th.
func films(t *testing.T, step int) []film {
	t.Helper()
	var raw []json.RawMessage
	fleet.Data(t, "movies", &raw)
	var out []film
	for i := 0; i < len(raw); i += step {
		var f film
		var compact bytes.Buffer
		if err := errors.Join(json.Unmarshal(raw[i], &f), json.Compact(&compact, raw[i])); err != nil {
			t.Fatal(err)
		}
		f.raw = compact.Bytes()
		out = append(out, f)
	}
	return out
}

const filmSettings = `{"filterableAttributes":["genres","year"],"sortableAttributes":["year","title"],"faceting":{"maxValuesPerFacet":1000}}`

// load sends films with the official client, in batches, and waits for all.
func load(t *testing.T, s fleet.API, list []film) time.Duration {
	t.Helper()
	start := time.Now()
	s.Write(t, "POST", "/indexes", `{"uid":"films","primaryKey":"id"}`)
	s.Write(t, "PATCH", "/indexes/films/settings", filmSettings)
	raw := make([]json.RawMessage, len(list))
	for i := range list {
		raw[i] = list[i].raw
	}
	client := meilisearch.New(s.URL, meilisearch.WithAPIKey(s.Key))
	infos, err := client.Index("films").AddDocumentsInBatches(raw, 4000, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	for _, info := range infos {
		task, err := client.WaitForTaskWithContext(ctx, info.TaskUID, 50*time.Millisecond)
		if err != nil || task.Status != meilisearch.TaskStatusSucceeded {
			t.Fatalf("task %d: %v %+v", info.TaskUID, err, task)
		}
	}
	return time.Since(start)
}

func long() bool { return os.Getenv("MIROIR_LONG") != "" }

// The films through Miroir over 2 groups of 2 embedded nodes, and over one
// embedded node.
func TestFilms(t *testing.T) {
	filmsOver(t, films(t, 1), "")
}

// The same with real nodes: a part of the films unless MIROIR_LONG is set.
func TestFilmsOverRealNodes(t *testing.T) {
	bin := fleet.RealBinary(t)
	step := 12
	if long() {
		step = 1
	}
	filmsOver(t, films(t, step), bin)
}

func filmsOver(t *testing.T, list []film, real string) {
	f := fleet.Start(t, fleet.Options{Real: real, MasterKey: "master-key-of-the-test"})
	one := fleet.StartNode(t, "single", real)
	t.Logf("%d films: through Miroir in %v, to one node in %v", len(list), load(t, f.API, list), load(t, one.API, list))
	own := uniqueWords(list, 200)
	t.Run("each can be fetched by id", func(t *testing.T) { fetchAll(t, f.API, list) })
	t.Run("a word of one film finds it exactly once", func(t *testing.T) { ownWords(t, f.API, own) })
	t.Run("facets are counted as in the file", func(t *testing.T) { facetsAsInFile(t, f.API, list) })
	t.Run("pages equal one request", func(t *testing.T) { filmPages(t, f.API) })
	t.Run("sorted searches are sorted", func(t *testing.T) { sortedFilms(t, f.API) })
	t.Run("browsing gives every film once", func(t *testing.T) { browse(t, f.API, list) })
	asked := questions(list, own)
	distinct := slices.DeleteFunc(slices.Clone(asked), func(q string) bool { return !strings.Contains(q, `"distinct":`) })
	asked = slices.DeleteFunc(asked, func(q string) bool { return strings.Contains(q, `"distinct":`) })
	t.Run("the answers are those of one node", func(t *testing.T) { sameAsOne(t, f.API, one.API, asked) })
	t.Run("distinct answers are those of one node", func(t *testing.T) { sameAsOne(t, f.API, one.API, distinct) })
}

// fetchAll reads every film by its id: all in lists of ids, and one by one as
// many as the time allows.
func fetchAll(t *testing.T, s fleet.API, list []film) {
	for part := range slices.Chunk(list, 2000) {
		ids := make([]int, len(part))
		for i := range part {
			ids[i] = part[i].ID
		}
		body, _ := json.Marshal(map[string]any{"ids": ids, "limit": len(ids)}) // numbers always encode
		var p struct{ Results []json.RawMessage }
		s.Post(t, docsPath+"/fetch", string(body), &p)
		if len(p.Results) != len(part) {
			t.Fatalf("%d of %d films fetched", len(p.Results), len(part))
		}
		for i, got := range p.Results {
			if d := compare.JSON(got, part[i].raw, nil); len(d) > 0 {
				t.Fatalf("film %d: %v", part[i].ID, d)
			}
		}
	}
	step := 10
	if long() {
		step = 1
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := w * step; i < len(list); i += 4 * step {
				a, err := s.Try("GET", docsPath+"/"+strconv.Itoa(list[i].ID), "")
				if err != nil || a.Status != 200 {
					t.Errorf("film %d: %v %+v", list[i].ID, err, a)
					return
				}
				if d := compare.JSON(a.Body, list[i].raw, nil); len(d) > 0 {
					t.Errorf("film %d: %v", list[i].ID, d)
					return
				}
			}
		})
	}
	wg.Wait()
}

// words splits text as a search engine may, at everything that is no letter or
// digit and also inside camelCase, without accents and case.
func words(text string, each func(word string, plain bool)) {
	split := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r) })
	}
	for _, w := range split(norm.NFKD.String(text)) {
		bare := strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Mn, r) {
				return -1
			}
			return r
		}, w)
		plain := len(bare) == len(w) && strings.IndexFunc(w, func(r rune) bool { return r < 'a' || r > 'z' }) < 0
		each(strings.ToLower(bare), plain)
		start := 0
		for i, r := range bare {
			if i > 0 && unicode.IsUpper(r) {
				each(strings.ToLower(bare[start:i]), false)
				start = i
			}
		}
		if start > 0 {
			each(strings.ToLower(bare[start:]), false)
		}
	}
}

// textOf is all strings of a document.
func textOf(raw json.RawMessage) string {
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil {
		return ""
	}
	var b strings.Builder
	for _, v := range members {
		fmt.Fprint(&b, v, " \n ")
	}
	return b.String()
}

// uniqueWords picks about n words that only one film has, with the film's id.
func uniqueWords(list []film, n int) map[string]int {
	const many = -1
	owner := map[string]int{}
	good := map[string]bool{}
	for _, f := range list {
		words(textOf(f.raw), func(w string, plain bool) {
			if id, seen := owner[w]; seen && id != f.ID {
				owner[w] = many
			} else if !seen {
				owner[w] = f.ID
			}
			if !plain {
				good[w] = false
			} else if _, seen := good[w]; !seen {
				good[w] = len(w) >= 6 && len(w) <= 20
			}
		})
	}
	var all []string
	for w, id := range owner {
		if id != many && good[w] {
			all = append(all, w)
		}
	}
	slices.Sort(all)
	out := map[string]int{}
	for i := 0; i < len(all); i += max(1, len(all)/n) {
		out[all[i]] = owner[all[i]]
	}
	return out
}

func ownWords(t *testing.T, s fleet.API, chosen map[string]int) {
	if len(chosen) < 100 {
		t.Fatalf("only %d words", len(chosen))
	}
	for word, id := range chosen {
		var p page
		s.Post(t, searchPath, fmt.Sprintf(`{"q":"\"%s\""}`, word), &p)
		if !slices.Equal(p.ids(), []int{id}) || p.EstimatedTotalHits != 1 {
			t.Errorf("%q finds %v, total %d, want only %d", word, p.ids(), p.EstimatedTotalHits, id)
		}
		s.Post(t, searchPath, fmt.Sprintf(`{"q":"%s","limit":1000,"attributesToRetrieve":["id"]}`, word), &p)
		times := 0
		for _, got := range p.ids() {
			if got == id {
				times++
			}
		}
		if times != 1 {
			t.Errorf("%s finds film %d %d times", word, id, times)
		}
	}
}

func facetsAsInFile(t *testing.T, s fleet.API, list []film) {
	for filter, keep := range map[string]func(f *film) bool{
		"year >= 0":                    func(*film) bool { return true },
		"year > 1990 AND year <= 2005": func(f *film) bool { return f.Year > 1990 && f.Year <= 2005 },
		"genres = Drama":               func(f *film) bool { return slices.Contains(f.Genres, "Drama") },
		"genres != Drama":              func(f *film) bool { return !slices.Contains(f.Genres, "Drama") },
	} {
		genres, years, total := map[string]int{}, map[string]int{}, 0
		for i := range list {
			f := &list[i]
			if !keep(f) {
				continue
			}
			total++
			years[strconv.Itoa(f.Year)]++
			for _, g := range slices.Compact(slices.Sorted(slices.Values(f.Genres))) {
				genres[g]++
			}
		}
		for range 2 {
			var p struct {
				TotalHits         int
				FacetDistribution map[string]map[string]int
			}
			s.Post(t, searchPath, fmt.Sprintf(`{"filter":%q,"facets":["genres","year"],"page":1,"hitsPerPage":1}`, filter), &p)
			if !maps.Equal(p.FacetDistribution["genres"], genres) || !maps.Equal(p.FacetDistribution["year"], years) {
				t.Errorf("%s: the counts are %v, want %v and %v", filter, p.FacetDistribution, genres, years)
			}
		}
	}
	var stats struct{ NumberOfDocuments int }
	if s.Get(t, "/indexes/films/stats", &stats); stats.NumberOfDocuments != len(list) {
		t.Errorf("statistics count %d films of %d", stats.NumberOfDocuments, len(list))
	}
}

func filmPages(t *testing.T, s fleet.API) {
	for _, what := range []string{`"q":""`, `"q":"love"`, `"q":"the war","sort":["year:desc"]`, `"q":"man","filter":"genres = Comedy"`} {
		var whole page
		s.Post(t, searchPath, `{`+what+`,"limit":1000,"attributesToRetrieve":["id"]}`, &whole)
		var paged []int
		for offset := 0; offset < 1000; offset += 20 {
			var p page
			s.Post(t, searchPath, fmt.Sprintf(`{%s,"offset":%d,"limit":20,"attributesToRetrieve":["id"]}`, what, offset), &p)
			paged = append(paged, p.ids()...)
		}
		if !slices.Equal(paged, whole.ids()) {
			t.Errorf("%s: %d hits in pages, %d in one request, first different place %d", what, len(paged), len(whole.Hits), firstDifference(paged, whole.ids()))
		}
		if once := slices.Compact(slices.Sorted(slices.Values(paged))); len(once) != len(paged) {
			t.Errorf("%s: %d hits, %d different", what, len(paged), len(once))
		}
	}
}

func firstDifference(a, b []int) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func sortedFilms(t *testing.T, s fleet.API) {
	for sort, order := range map[string]func(a, b film) int{
		`"year:asc"`:  func(a, b film) int { return a.Year - b.Year },
		`"year:desc"`: func(a, b film) int { return b.Year - a.Year },
		`"title:asc"`: func(a, b film) int { return strings.Compare(folded(a.Title), folded(b.Title)) },
		`"year:desc","title:desc"`: func(a, b film) int {
			if a.Year != b.Year {
				return b.Year - a.Year
			}
			return strings.Compare(folded(b.Title), folded(a.Title))
		},
	} {
		for _, filter := range []string{"year > 1950", "genres = Western"} {
			var p struct{ Hits []film }
			s.Post(t, searchPath, fmt.Sprintf(`{"q":"","sort":[%s],"filter":%q,"limit":1000}`, sort, filter), &p)
			if len(p.Hits) < 20 || !slices.IsSortedFunc(p.Hits, order) {
				for i := 1; i < len(p.Hits); i++ {
					if order(p.Hits[i-1], p.Hits[i]) > 0 {
						t.Errorf("%s of %s: place %d: %q %d before %q %d", sort, filter, i, p.Hits[i-1].Title, p.Hits[i-1].Year, p.Hits[i].Title, p.Hits[i].Year)
						break
					}
				}
				t.Errorf("%s of %s: %d hits", sort, filter, len(p.Hits))
			}
		}
	}
}

// folded is a text as values are sorted: decomposed, in lower case, without
// accents.
func folded(s string) string {
	return strings.ToLower(norm.NFKD.String(s))
}

func browse(t *testing.T, s fleet.API, list []film) {
	seen := 0
	for offset := 0; offset < len(list); offset += 5000 {
		var p struct {
			Results []struct{ ID int }
			Total   int
		}
		s.Get(t, fmt.Sprintf("%s?fields=id&limit=5000&offset=%d", docsPath, offset), &p)
		for i, d := range p.Results {
			if d.ID != list[offset+i].ID {
				t.Fatalf("place %d has film %d, want %d: the order in which they came", offset+i, d.ID, list[offset+i].ID)
			}
		}
		if seen += len(p.Results); p.Total != len(list) {
			t.Errorf("total %d, want %d", p.Total, len(list))
		}
	}
	if seen != len(list) {
		t.Errorf("%d films seen of %d", seen, len(list))
	}
}

// sameAsOne asks both the same questions.
func sameAsOne(t *testing.T, many, one fleet.API, questions []string) {
	different, used := 0, map[string]int{}
	for _, q := range questions {
		want := one.Do(t, "POST", searchPath, q)
		got := many.Do(t, "POST", searchPath, q)
		needed := map[string]bool{}
		d := compare.JSON(got.Body, want.Body, func(name string) { needed[name] = true }, compare.Of(q, compare.Sharded)...)
		for name := range needed {
			used[name]++
		}
		if got.Status != want.Status {
			d = append(d, fmt.Sprintf("status %d, want %d", got.Status, want.Status))
		}
		if strings.Contains(string(got.Body), "_miroir") {
			d = append(d, "a name of ours shows")
		}
		if len(d) > 0 {
			different++
			t.Errorf("%s\n\t%d differences: %s", q, len(d), strings.Join(d[:min(len(d), 6)], "\n\t"))
		}
	}
	t.Logf("%d questions, %d answers differ; loosenings needed: %v", len(questions), different, used)
}
