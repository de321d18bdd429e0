package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// nearPairwise compares every place of one word with every place of the other.
func nearPairwise(s *scorer, left, right subset) int {
	best := maxNear - 1
	for i := range s.places[left.node] {
		a := &s.places[left.node][i]
		for j := range s.places[right.node] {
			b := &s.places[right.node][j]
			if a.attr != b.attr || !a.last || !left.allows(a) || !b.begins(right) {
				continue
			}
			if s.m.c.cfg.ProximityByAttribute {
				return 0
			}
			d := int(b.pos) - int(a.pos) - 1
			if d < 0 {
				d = int(a.pos) - int(b.pos)
				if d == 0 || a.phrase || b.phrase || s.m.g.nodes[right.node].cached && b.level == 0 && !b.typed {
					continue
				}
			}
			best = min(best, d)
		}
	}
	return best
}

// TestNearComparesPlaces compares the walk over places with looking at all pairs.
func TestNearComparesPlaces(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	some := func() bool { return rng.IntN(4) > 0 }
	list := func(n int) []place {
		out := make([]place, n)
		for i := range out {
			out[i] = place{attr: uint16(rng.IntN(2)), pos: uint16(rng.IntN(12)), level: uint8(rng.IntN(3)), exact: some(), typed: some(),
				phrase: !some(), first: some(), last: some(), headless: !some()}
		}
		return out
	}
	seen := map[int]int{}
	for i := range 20000 {
		x := &core{cfg: &config{Settings: Settings{ProximityByAttribute: i%5 == 0}}}
		g := &graph{nodes: []*node{{}, {cached: i%2 == 0}}}
		s := &scorer{m: &matcher{c: x, g: g}, places: [][]place{list(rng.IntN(4)), list(rng.IntN(4))}}
		left, right := subset{node: 0, levels: uint8(rng.IntN(8))}, subset{node: 1, levels: uint8(rng.IntN(8)), exact: !some()}
		want := nearPairwise(s, left, right)
		before := fmt.Sprint(s.places)
		if got := s.near(left, right); got != want {
			t.Fatalf("%s, %+v %+v: near is %d, want %d", before, left, right, got, want)
		}
		seen[want]++
	}
	if len(seen) != maxNear {
		t.Errorf("only %v were seen", seen)
	}
}

func longTexts(n, words int) []string {
	var docs []string
	for i := range n {
		docs = append(docs, fmt.Sprintf(`{"id":%d,"text":"%sx x x x x %s"}`, i, strings.Repeat("winter ", words), strings.Repeat("garden ", words)))
	}
	return docs
}

// TestLongDocumentsAreWalkedOnce takes minutes when places are compared pair by pair.
func TestLongDocumentsAreWalkedOnce(t *testing.T) {
	x := newIndex(t, nil, longTexts(8, 24000)...)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := x.Search(ctx, NewQuery("winter garden"))
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(r); got != "0 1 2 3 4 5 6 7" {
		t.Errorf("found %s", got)
	}
}

// TestASearchEndsAmidARule ends the search while a rule visits documents.
func TestASearchEndsAmidARule(t *testing.T) {
	x := newIndex(t, nil, longTexts(64, 20)...)
	g := x.core.parseQuery("winter garden")
	m := x.core.newMatcher(g, nil)
	calls := 0
	m.stopped = func() bool { calls++; return calls > 2 }
	r := &graphRule{kind: RuleProximity, m: m}
	r.start(x.core.live, m.allRoutes(x.core.live))
	r.next(x.core.live)
	if calls != 3 {
		t.Errorf("asked %d times, want 3", calls)
	}
}

// TestAPanicOfAWorkerIsOneOfTheCaller keeps it from ending the process.
func TestAPanicOfAWorkerIsOneOfTheCaller(t *testing.T) {
	why := errors.New("broken document")
	defer func() {
		if p := recover(); p != why { //nolint:errorlint // a panic value, never wrapped
			t.Errorf("recovered %v", p)
		}
	}()
	inParts(10, 3, func(w, from, to int) {
		if w == 1 {
			panic(why)
		}
	})
	t.Error("no panic")
}

// TestManyAttributesRankAll has words in attributes behind the 255th, joined words too.
func TestManyAttributesRankAll(t *testing.T) {
	var docs []string
	for i, field := range []int{0, 254, 255, 290} {
		docs = append(docs, fmt.Sprintf(`{"id":%d,"f%d":"winter garden"}`, i+1, field))
	}
	docs = append(docs, `{"id":5,"f290":"wintergarden"}`, `{"id":6,"f90":"wintergarden"}`)
	x := newIndex(t, func(s *Settings) {
		s.SearchableAttributes = nil
		for i := range 300 {
			s.SearchableAttributes = append(s.SearchableAttributes, fmt.Sprintf("f%d", i))
		}
		s.RankingRules = []string{"attribute"}
	}, docs...)
	for _, least := range []int{columnDocs, 0} { // visiting documents, and from lists
		x.core.columns.least = least
		r := find(t, x, NewQuery("winter garden"))
		if got := ids(r); got != "1 6 2 3 4 5" || r.Total != 6 {
			t.Errorf("found %s of %d", got, r.Total)
		}
	}
}
