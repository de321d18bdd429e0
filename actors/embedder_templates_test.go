package actors

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/api"
)

func TestTemplatesPassOverOurFields(t *testing.T) {
	const guard = `{% if f.name != "_miroir_shard" and f.name != "_miroir_seq" %}`
	for template, want := range map[string]string{
		"{{ doc.title }}": "{{ doc.title }}",
		"{% for f in fields %}{{ f.name }}{% endfor %}":                             "{% for f in fields %}" + guard + "{{ f.name }}{% endif %}{% endfor %}",
		"{%- for f in fields -%}x{%- endfor -%}{% for g in doc.tags %}{% endfor %}": "{%- for f in fields -%}" + guard + "x{% endif %}{%- endfor -%}{% for g in doc.tags %}{% endfor %}",
		"{% for g in doc.a %}{% for f in fields %}{% endfor %}{% endfor %}":         "{% for g in doc.a %}{% for f in fields %}" + guard + "{% endif %}{% endfor %}{% endfor %}",
		"{% endfor %}": "{% endfor %}",
	} {
		if got := withoutOurFields(template); got != want {
			t.Errorf("%s\nbecame %s\nwant   %s", template, got, want)
		}
	}
}

func TestEmbeddersOfNodes(t *testing.T) {
	for text, want := range map[string]string{
		`{"source":"userProvided","dimensions":3}`:                                                                 `{"source":"userProvided","dimensions":3}`,
		`{"source":"rest","indexingFragments":{}}`:                                                                 `{"source":"rest","indexingFragments":{}}`,
		`{"source":"ollama","model":"m"}`:                                                                          `{"source":"ollama","model":"m","documentTemplate":TEMPLATE}`,
		`{"source":"openAi","documentTemplate":"{{ doc.a }}"}`:                                                     `{"source":"openAi","documentTemplate":"{{ doc.a }}"}`,
		`{"source":"composite","indexingEmbedder":{"source":"huggingFace"},"searchEmbedder":{"source":"rest"}}`:    `{"source":"composite","searchEmbedder":{"source":"rest"},"indexingEmbedder":{"source":"huggingFace","documentTemplate":TEMPLATE}}`,
		`{"source":"composite","indexingEmbedder":{"source":"userProvided"},"searchEmbedder":{"source":"ollama"}}`: `{"source":"composite","searchEmbedder":{"source":"ollama"},"indexingEmbedder":{"source":"userProvided"}}`,
	} {
		var e api.Embedder
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		all := map[string]api.Embedder{"e": e}
		withTemplates(all)
		got := mustJSON(all["e"])
		wanted := []byte(strings.ReplaceAll(want, "TEMPLATE", string(mustJSON(withoutOurFields(api.DefaultDocumentTemplate)))))
		var a, b any
		if json.Unmarshal(got, &a) != nil || json.Unmarshal(wanted, &b) != nil || string(mustJSON(a)) != string(mustJSON(b)) {
			t.Errorf("%s\nbecame %s\nwant   %s", text, got, wanted)
		}
	}
}
