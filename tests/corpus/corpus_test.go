package corpus

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestTheSameSeedGivesTheSameQuestions(t *testing.T) {
	for _, v := range Odd().Variants() {
		a, b := Generate(Odd(), v, 400, 7), Generate(Odd(), v, 400, 7)
		if len(a) != 400 || !slices.Equal(a, b) {
			t.Errorf("%s: %d and %d questions, equal %v", v.Name, len(a), len(b), slices.Equal(a, b))
		}
		if c := Generate(Odd(), v, 400, 8); slices.Equal(a, c) {
			t.Errorf("%s: another seed gives the same questions", v.Name)
		}
	}
}

func TestEveryFeatureIsAskedAbout(t *testing.T) {
	asked := map[string]int{}
	list := []*Set{Odd()}
	for _, name := range Names {
		list = append(list, Load(t, name, 20, 500))
	}
	distinct := map[string]bool{}
	for _, s := range list {
		for _, v := range s.Variants() {
			if !json.Valid([]byte(v.Settings)) {
				t.Errorf("%s %s: settings are no JSON", s.Name, v.Name)
			}
			for _, q := range Generate(s, v, 300, 1) {
				asked[q.Feature]++
				distinct[q.String()] = true
				if q.Body != "" && q.Feature != "errors" && !json.Valid([]byte(q.Body)) {
					t.Errorf("%s: no JSON", q)
				}
			}
		}
	}
	for _, f := range Features() {
		if asked[f] < 10 {
			t.Errorf("%s: only %d questions", f, asked[f])
		}
	}
	if len(distinct) < 2500 {
		t.Errorf("only %d different questions", len(distinct))
	}
}

func TestDocumentsOfASetAreValidAndHaveTheirOwnIds(t *testing.T) {
	s := Odd()
	for _, v := range s.Variants() {
		seen := map[string]bool{}
		for _, raw := range s.Documents(v) {
			var doc map[string]json.RawMessage
			if err := json.Unmarshal(raw, &doc); err != nil {
				t.Fatalf("%s: %v", raw, err)
			}
			id := string(doc[s.Key])
			if id == "" || seen[id] {
				t.Errorf("the id %s is missing or there twice", id)
			}
			seen[id] = true
		}
	}
}
