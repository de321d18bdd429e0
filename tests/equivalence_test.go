package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/tests/compare"
	"github.com/miroir-search/miroir/tests/corpus"
	"github.com/miroir-search/miroir/tests/fleet"
)

// arrangement is a fleet that must answer as one node does.
type arrangement struct {
	name    string
	options fleet.Options
	// load loads a set; nil for loadSet.
	load func(t *testing.T, s fleet.API, set *corpus.Set, v corpus.Variant)
	// then happens when everything is loaded.
	then func(t *testing.T, f *fleet.Fleet)
}

var arrangements = []arrangement{
	{name: "1x1", options: fleet.Options{Groups: 1, PerGroup: 1}},
	{name: "1x3", options: fleet.Options{Groups: 1, PerGroup: 3}},
	{name: "2x2, 2 copies", options: fleet.Options{Groups: 2, PerGroup: 2, Replicas: 2}},
	{name: "3x2", options: fleet.Options{Groups: 3, PerGroup: 2}},
	{name: "1x3, 2 copies", options: fleet.Options{Groups: 1, PerGroup: 3, Replicas: 2}},
	{name: "2x2, a node lost", options: fleet.Options{Groups: 2, PerGroup: 2}, then: loseNode},
	{name: "1x3, 2 copies, a node lost", options: fleet.Options{Groups: 1, PerGroup: 3, Replicas: 2}, then: loseNode},
	{name: "1x3, swapped", options: fleet.Options{Groups: 1, PerGroup: 3}, load: loadAndSwap},
}

func loseNode(t *testing.T, f *fleet.Fleet) {
	f.Node(t, "a1").Kill()
	f.WaitState(t, "a1", "broken")
}

// loadAndSwap loads the set into a spare index and then gives it its name.
func loadAndSwap(t *testing.T, s fleet.API, set *corpus.Set, v corpus.Variant) {
	t.Helper()
	index := corpus.Index(set, v)
	s.Write(t, "POST", "/indexes/"+index+"/documents", `[{"id":1,"title":"what was there before"}]`)
	loadSetAs(t, s, "spare", set, v)
	s.Write(t, "POST", "/swap-indexes", fmt.Sprintf(`[{"indexes":[%q,"spare"]}]`, index))
	s.Write(t, "DELETE", "/indexes/spare", "")
}

// loadedSet is a set under a variant with its questions, and what one node says.
type loadedSet struct {
	set   *corpus.Set
	v     corpus.Variant
	asked []corpus.Question
	want  []*fleet.Answer
}

// scale is how much a comparison takes.
type scale struct{ films, documents, questions int }

func scaleOf(real bool) scale {
	switch {
	case long() && real:
		return scale{films: 12, documents: 2000, questions: 120}
	case long():
		return scale{films: 6, documents: 5000, questions: 250}
	default:
		return scale{films: 60, documents: 400, questions: 32}
	}
}

// oneNode loads every set into one node and asks it everything.
func oneNode(t *testing.T, one *fleet.Node, size scale) []*loadedSet {
	t.Helper()
	var all []*loadedSet
	one.Do(t, "PATCH", "/experimental-features", corpus.Experimental)
	for _, name := range append([]string{"odd"}, corpus.Names...) {
		t.Run("load "+name, func(t *testing.T) { // a subtest, because a data set may not be here
			step := 1
			if name == "films" {
				step = size.films
			}
			set := corpus.Load(t, name, step, size.documents)
			for _, v := range set.Variants() {
				v.Single = name == "products"
				l := &loadedSet{set: set, v: v, asked: corpus.GenerateOnly(set, v, size.questions, 7, shardable(v))}
				loadSet(t, one.API, set, v)
				for _, q := range l.asked {
					l.want = append(l.want, one.Do(t, q.Method, q.Path, q.Body))
				}
				all = append(all, l)
			}
		})
	}
	return all
}

// shardable leaves out what Miroir refuses, and similar documents where some have
// several vectors: docs/equivalence.md says why.
func shardable(v corpus.Variant) func(feature string) bool {
	return func(feature string) bool { return feature != "contains" && (feature != "similar" || v.Single) }
}

// The same documents in one node and in Miroir over several, in every arrangement:
// every answer is that of the one node, but for loosenings that have a name.
func TestAnswersAreThoseOfOneNode(t *testing.T) {
	answersAreThoseOfOneNode(t, "")
}

// The same with real nodes, as far as MIROIR_LONG is set.
func TestAnswersOverRealNodesAreThoseOfOneNode(t *testing.T) {
	bin := fleet.RealBinary(t)
	if !long() {
		t.Skip("MIROIR_LONG is not set: the films are compared over real nodes, the whole corpus is not")
	}
	answersAreThoseOfOneNode(t, bin)
}

func answersAreThoseOfOneNode(t *testing.T, real string) {
	one := fleet.StartNode(t, "single", real)
	sets := oneNode(t, one, scaleOf(real != ""))
	var table strings.Builder
	for _, a := range arrangements {
		t.Run(a.name, func(t *testing.T) {
			f := a.start(t, real, "", sets)
			c := &equivalence{one: one.API, many: f.API, used: map[string]int{}, counts: sharedTally{}, real: real != ""}
			for _, l := range sets {
				for i, q := range l.asked {
					c.compare(t, l, q, l.want[i])
				}
			}
			for _, name := range []string{"short-prefix", "vector-neighbours"} {
				if n := c.used[name]; n > c.asked/40 {
					t.Errorf("%s was needed by %d of %d questions: it forgives much, and must stay rare", name, n, c.asked)
				}
			}
			fmt.Fprintf(&table, "\n%s: %s\n%s", a.name, c, c.counts)
		})
	}
	t.Log(table.String())
}

// start starts a fleet and loads all sets.
func (a arrangement) start(t *testing.T, real, weaken string, sets []*loadedSet) *fleet.Fleet {
	t.Helper()
	o := a.options
	o.Real, o.Weaken = real, weaken
	f := fleet.Start(t, o)
	for _, l := range sets {
		if a.load != nil {
			a.load(t, f.API, l.set, l.v)
		} else {
			loadSet(t, f.API, l.set, l.v)
		}
	}
	if a.then != nil {
		a.then(t, f)
	}
	return f
}

// equivalence compares the answers of a fleet with those of one node.
type equivalence struct {
	one, many fleet.API
	used      map[string]int // loosenings by name
	counts    sharedTally
	real      bool // the nodes are real
	quiet     bool // differences are counted, and are no errors
	asked     int
	found     int
}

func (c *equivalence) String() string {
	return fmt.Sprintf("%d questions, %d answers differ, loosenings needed: %v", c.asked, c.found, c.used)
}

func (c *equivalence) compare(t *testing.T, l *loadedSet, q corpus.Question, want *fleet.Answer) {
	t.Helper()
	got := c.many.Do(t, q.Method, q.Path, q.Body)
	needed := map[string]bool{}
	loose := compare.Of(q.Path+q.Body, compare.Sharded)
	if strings.Contains(l.v.Settings, `"distinctAttribute":"`) && !strings.Contains(q.Body, `"distinct":`) {
		loose = append(loose, compare.DistinctSetting...)
	}
	if l.set.Name == "odd" && strings.Contains(q.Path+q.Body, "mixed") {
		loose = append(loose, compare.NumberTexts...)
	}
	if c.real {
		loose = append(loose, compare.Of(q.Path+q.Body, compare.Neighbours)...)
	}
	if severalValues(l.set, q) {
		loose = append(loose, compare.DistinctValues...)
	}
	d := compare.JSON(got.Body, want.Body, func(name string) { needed[name] = true }, loose...)
	if len(d) > 0 && len(compare.JSON(compare.FoldFacets(got.Body), compare.FoldFacets(want.Body), nil, loose...)) == 0 {
		d, needed["facet-spelling"] = nil, true
	}
	if got.Status != want.Status {
		d = append(d, fmt.Sprintf("status %d, want %d", got.Status, want.Status))
	}
	if bytes.Contains(got.Body, []byte("_miroir")) || bytes.Contains(got.Body, []byte("miroir-i-")) {
		d = append(d, "a name of ours shows")
	}
	delete(needed, "processing-time")
	delete(needed, "request-uid")
	for name := range needed {
		c.used[name]++
	}
	c.asked++
	how := same
	switch {
	case len(d) > 0 && c.tiesOnly(t, l, q):
		how = tied
	case len(d) > 0:
		how = unlike
	case len(needed) > 0:
		how = loosened
	}
	c.counts.add(q.Feature, how)
	if len(d) == 0 {
		return
	}
	c.found++
	if !c.quiet {
		t.Errorf("%s %s\n\t%d differences (%s): %s", q.Feature, q, len(d), []string{"", "", "ties", "more than ties"}[how], strings.Join(d[:min(len(d), 6)], "\n\t"))
	}
}

var distinctBy = regexp.MustCompile(`"distinct":"([^"]*)"`)

// severalValues tells the questions that are made distinct by an attribute of which
// documents have several values.
func severalValues(set *corpus.Set, q corpus.Question) bool {
	m := distinctBy.FindStringSubmatch(q.Body)
	return m != nil && !slices.Contains(set.Sorts, m[1]) && !slices.Contains(set.Numbers, m[1])
}

// likeness is how an answer compares with that of one node.
type likeness int

const (
	same     likeness = iota // but for times and request ids
	loosened                 // but for a loosening that has a name
	tied                     // but for the order of hits that the rules leave equal
	unlike
)

// tiesOnly reports whether the hits of a search are those of one node but for the
// order of hits that no rule tells apart.
func (c *equivalence) tiesOnly(t *testing.T, l *loadedSet, q corpus.Question) bool {
	t.Helper()
	var body map[string]any
	if !strings.HasSuffix(q.Path, "/search") || json.Unmarshal([]byte(q.Body), &body) != nil {
		return false
	}
	body["attributesToRetrieve"] = []string{l.set.Key}
	type hits struct{ Hits []map[string]json.RawMessage }
	ask := func(s fleet.API) (out hits) {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		_ = json.Unmarshal(s.Do(t, q.Method, q.Path, string(text)).Body, &out) // an error has no hits
		return out
	}
	got, want := ask(c.many), ask(c.one)
	delete(body, "page")
	delete(body, "hitsPerPage")
	body["offset"], body["limit"], body["showRankingScoreDetails"] = 0, 1000, true
	rank := map[string]string{} // by id: what the rules say
	for _, h := range ask(c.one).Hits {
		rank[string(h[l.set.Key])] = string(h["_rankingScoreDetails"])
	}
	if len(got.Hits) != len(want.Hits) {
		return false
	}
	for i := range want.Hits {
		a, known := rank[string(got.Hits[i][l.set.Key])]
		if b := rank[string(want.Hits[i][l.set.Key])]; !known || a != b {
			return false
		}
	}
	return true
}

// sharedTally counts likenesses by feature.
type sharedTally map[string]*[4]int

func (c sharedTally) add(feature string, l likeness) {
	if c[feature] == nil {
		c[feature] = new([4]int)
	}
	c[feature][l]++
}

func (c sharedTally) String() string {
	var b strings.Builder
	b.WriteString("| feature | questions | identical | by a named loosening | but for ties | different |\n| --- | --- | --- | --- | --- | --- |\n")
	var all [4]int
	row := func(name string, n *[4]int) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d |\n", name, n[0]+n[1]+n[2]+n[3], n[0], n[1], n[2], n[3])
	}
	for _, f := range corpus.Features() {
		if n := c[f]; n != nil {
			row(f, n)
			for i := range all {
				all[i] += n[i]
			}
		}
	}
	row("all", &all)
	return b.String()
}

// The comparison must find something when a part of what makes answers true is
// taken away, within 200 questions.
func TestTheComparisonFailsWhenSomethingIsMissing(t *testing.T) {
	one := fleet.StartNode(t, "single", os.Getenv("MEILISEARCH_BIN"))
	sets := oneNode(t, one, scale{films: 60, documents: 400, questions: 60})
	if len(sets) == 0 {
		t.Fatal("no data set, not even our own")
	}
	for weaken, over := range map[string]string{"details": "1x3", "sequence": "1x3", "shards": "1x3, 2 copies"} {
		t.Run(weaken, func(t *testing.T) {
			a := arrangements[slices.IndexFunc(arrangements, func(a arrangement) bool { return a.name == over })]
			f := a.start(t, os.Getenv("MEILISEARCH_BIN"), weaken, sets)
			c := &equivalence{one: one.API, many: f.API, used: map[string]int{}, counts: sharedTally{}, quiet: true}
			for i := 0; c.asked < 200; i++ { // from all sets in turn
				l := sets[i%len(sets)]
				if n := i / len(sets); n < len(l.asked) {
					c.compare(t, l, l.asked[n], l.want[n])
				} else if n >= 60 {
					break
				}
			}
			if c.found == 0 {
				t.Fatalf("without %s nothing was found: %s", weaken, c)
			}
			t.Logf("without %s: %s", weaken, c)
		})
	}
}
