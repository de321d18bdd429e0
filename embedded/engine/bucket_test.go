package engine

import (
	"fmt"
	"strings"
	"testing"
)

// The scores are those of a real server, version 1.50.
func TestScoresFollowWhatTheBucketMatched(t *testing.T) {
	x := newIndex(t, nil,
		`{"id":1,"t":"sunflower"}`, `{"id":2,"t":"sun flower"}`, `{"id":3,"t":"flower sun"}`, `{"id":4,"t":"the sun and a flower"}`,
		`{"id":5,"t":"sunflowers"}`, `{"id":6,"t":"sun","x":"flower"}`, `{"id":7,"t":"moon flower"}`, `{"id":8,"t":"sun moon sun"}`, `{"id":9,"t":"fun flower"}`)
	for _, tc := range []struct {
		q        string
		strategy MatchingStrategy
		want     string
	}{
		{"sun flower", MatchLast, "2:1.0000 3:0.9648 4:0.9320 6:0.9038 1:0.6819 5:0.6819 8:0.4924"},
		{"sunflower", MatchLast, "1:1.0000 5:0.9747 2:0.6414"},
		{"sun flower moon", MatchLast, "2:0.6667 3:0.6432 4:0.6214 6:0.6025 1:0.4546 5:0.3713 8:0.3283"},
		{"sun moon flower", MatchFrequency, "8:0.6662 7:0.3081"},
		{"sun flower", MatchAll, "2:1.0000 3:0.9296 4:0.8641 6:0.8075 1:0.3638 5:0.3638"},
		{"flower sun", MatchLast, "3:1.0000 2:0.9530 6:0.8717 4:0.8697 7:0.4621 9:0.4621"},
	} {
		q := NewQuery(tc.q)
		q.MatchingStrategy = tc.strategy
		var got []string
		for _, h := range find(t, x, q).Hits {
			got = append(got, fmt.Sprintf("%s:%.4f", h.ID, h.Score))
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s %s: %s, want %s", tc.q, tc.strategy, strings.Join(got, " "), tc.want)
		}
	}
}

func TestAPrefixWithTyposEndsWhereTheAutomatonDoes(t *testing.T) {
	for _, tc := range []struct {
		query, word string
		most, want  int
	}{
		{"romantic", "romantics", 2, 0}, {"romantic", "romance", 2, 3}, {"romantic", "romances", 2, 3}, {"flower", "flowre", 1, 1},
		{"flower", "flowres", 1, 1}, {"flower", "flwer", 1, 1}, {"flower", "lower", 1, 1}, {"flower", "power", 1, 2}, {"sun", "", 1, 2},
	} {
		if got := editDistance([]rune(tc.query), tc.word, tc.most, true); got != tc.want {
			t.Errorf("%s and %s: %d, want %d", tc.query, tc.word, got, tc.want)
		}
	}
}

func TestBrowsingSortedShowsMixedDocumentsTwice(t *testing.T) {
	x := newIndex(t, func(s *Settings) { s.SortableAttributes = []string{"v"} },
		`{"id":1,"v":["b",2]}`, `{"id":2}`, `{"id":3,"v":null}`, `{"id":4,"v":1}`, `{"id":5,"v":"a"}`)
	docs, total, err := x.Documents(&BrowseQuery{Sort: []string{"v:asc"}, Fields: []string{"id"}, Limit: 10})
	if got := fmt.Sprintf("%s %d", docs, total); err != nil || got != `[{"id":4} {"id":1} {"id":5} {"id":1} {"id":2}] 5` {
		t.Errorf("%s %v", got, err)
	}
}
