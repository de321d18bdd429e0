package compare

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTheComparisonSeesEveryDifference(t *testing.T) {
	for name, tc := range map[string]struct {
		got, want string
		found     int
	}{
		"equal but for the order of members":   {`{"a":1,"b":[1,2]}`, `{"b":[1,2],"a":1}`, 0},
		"another number text":                  {`{"a":1.0}`, `{"a":1}`, 1},
		"a member too many":                    {`{"a":1,"b":null}`, `{"a":1}`, 1},
		"a member too few":                     {`{}`, `{"a":null}`, 1},
		"another order of a list":              {`[1,2]`, `[2,1]`, 2},
		"a longer list":                        {`[1,2]`, `[1]`, 1},
		"a list for an object":                 {`[]`, `{}`, 1},
		"a string for a number":                {`{"a":"1"}`, `{"a":1}`, 1},
		"times and request ids may differ":     {`{"processingTimeMs":1,"requestUid":"a"}`, `{"processingTimeMs":2,"requestUid":"b"}`, 0},
		"a field of a hit named like our time": {`{"hits":[{"processingTimeMs":1}]}`, `{"hits":[{"processingTimeMs":2}]}`, 1},
		"a broken answer":                      {`{`, `{}`, 1},
	} {
		if found := JSON([]byte(tc.got), []byte(tc.want), nil, Of(`{}`, Sharded)...); len(found) != tc.found {
			t.Errorf("%s: %v", name, slices.Clone(found))
		}
	}
}

func TestEveryLooseningIsWrittenDown(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "equivalence.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range slices.Concat(Sharded, Rounding, DistinctSetting, DistinctValues, NumberTexts, Neighbours) {
		if !strings.Contains(string(text), "`"+l.Name+"`") {
			t.Errorf("docs/equivalence.md does not name %s", l.Name)
		}
	}
}

func TestRoundingForgivesLastDigitsOnly(t *testing.T) {
	for _, tc := range []struct {
		question, got, want string
		found               int
	}{
		{`{}`, `{"a":0.30000000000000004}`, `{"a":0.3}`, 0},
		{`{}`, `{"a":0.999999999999999}`, `{"a":1}`, 0},
		{`{}`, `{"a":0.3000001}`, `{"a":0.3}`, 1},
		{`{"hybrid":{"embedder":"x"}}`, `{"a":0.3000001}`, `{"a":0.3}`, 0},
		{`{"hybrid":{"embedder":"x"}}`, `{"a":0.3001}`, `{"a":0.3}`, 1},
		{`{"hybrid":{"embedder":"x"}}`, `{"a":4780653}`, `{"a":4780654}`, 1},
		{`{}`, `{"a":"0.30000000000000004"}`, `{"a":"0.3"}`, 1},
	} {
		if found := JSON([]byte(tc.got), []byte(tc.want), nil, Of(tc.question, Rounding)...); len(found) != tc.found {
			t.Errorf("%s and %s: %v", tc.got, tc.want, found)
		}
	}
}
