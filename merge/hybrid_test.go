package merge

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// byWord and byVector are hits of a hybrid search.
func byWord(id int, score string) string {
	return fmt.Sprintf(`{"id":%d,"_miroir_seq":"%04d","_rankingScore":%s,"_rankingScoreDetails":{"words":{"order":0,"matchingWords":1,"maxMatchingWords":1,"score":1.0},"exactness":{"order":1,"matchType":"noExactMatch","matchingWords":0,"maxMatchingWords":1,"score":%s}}}`, id, id, score, score)
}

func byVector(id int, similarity string) string {
	return fmt.Sprintf(`{"id":%d,"_miroir_seq":"%04d","_rankingScore":%s,"_rankingScoreDetails":{"vectorSort":{"order":0,"similarity":%s}}}`, id, id, similarity, similarity)
}

func bodiesOf(legs ...string) (out [][]byte) {
	for _, l := range legs {
		out = append(out, []byte(l))
	}
	return out
}

func TestHybridListsAreJoinedByShare(t *testing.T) {
	words := bodiesOf(answerOf(2, byWord(1, "0.9"), byWord(5, "0.2")), answerOf(1, byWord(3, "0.5")))
	vectors := bodiesOf(answerOf(3, byVector(2, "0.8"), byVector(1, "0.3"), byWord(5, "0.2")), answerOf(2, byVector(4, "0.8"), byVector(3, "0.5")))
	for _, c := range []struct {
		ratio    float32
		spec     SearchSpec
		want     []int
		semantic int
	}{
		{0.5, SearchSpec{Limit: 9}, []int{1, 2, 4, 3, 5}, 3},
		{0.5, SearchSpec{Limit: 2, Offset: 2}, []int{4, 3}, 2},
		{0.9, SearchSpec{Limit: 9}, []int{2, 4, 3, 1, 5}, 4},
		{0.1, SearchSpec{Limit: 9}, []int{1, 3, 5, 2, 4}, 2},
		{0.5, SearchSpec{Limit: 9, MaxTotalHits: 3}, []int{1, 2, 4}, 2},
		{0.5, SearchSpec{Limit: 0}, nil, 0},
	} {
		c.spec.SemanticHits = true
		out, err := Hybrid(nil, &c.spec, c.ratio, words, vectors)
		if err != nil {
			t.Fatal(err)
		}
		var a answer
		if err := json.Unmarshal(out, &a); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		if !slices.Equal(ids(a), c.want) || *a.SemanticHitCount != c.semantic || a.EstimatedTotalHits != 5 {
			t.Errorf("ratio %v, %+v: %v, %d semantic of %d; want %v, %d of 5", c.ratio, c.spec, ids(a), *a.SemanticHitCount, a.EstimatedTotalHits, c.want, c.semantic)
		}
	}
}

func TestWordsSufficeOnlyWhenAllHitsOfThePageAreGood(t *testing.T) {
	good := bodiesOf(answerOf(2, byWord(1, "0.95"), byWord(2, "0.9")), answerOf(2, byWord(3, "0.92"), byWord(4, "0.1")))
	for _, c := range []struct {
		ratio float32
		depth int
		want  bool
	}{{0.5, 3, true}, {0.5, 4, false}, {0.6, 3, false}, {0.1, 3, true}, {0.1, 5, false}, {0.9, 0, true}} {
		if got, err := WordsSuffice(&SearchSpec{}, c.ratio, c.depth, good); err != nil || got != c.want {
			t.Errorf("ratio %v, depth %d: %v %v", c.ratio, c.depth, got, err)
		}
	}
}

func TestWeightedValuesCompareLikeOnANode(t *testing.T) {
	sort := func(v float64) shared { return shared{sort: &slot{rule: ruleAscending, class: classNumber, a: v}} }
	score := func(v float64) shared { return shared{score: v} }
	for i, c := range []struct {
		a, b []shared
		want int
	}{
		{[]shared{score(1)}, []shared{score(1)}, 0}, {[]shared{score(1)}, []shared{score(1 - 1e-17)}, 0}, {[]shared{score(1)}, []shared{score(0.9)}, 1},
		{[]shared{score(1)}, []shared{score(1), sort(1)}, -1}, {[]shared{sort(1), score(0.1)}, []shared{sort(2), score(0.9)}, 1},
		{[]shared{sort(2), score(0.1)}, []shared{sort(2), score(0.9)}, -1}, {[]shared{score(0)}, []shared{sort(2)}, -1}, {[]shared{score(0.1)}, []shared{sort(2)}, 1},
		{[]shared{sort(2)}, []shared{score(0)}, 1}, {nil, nil, 0},
	} {
		if got := compareShared(c.a, c.b); got != c.want {
			t.Errorf("case %d: %d, want %d", i, got, c.want)
		}
	}
}
