package api

import "strings"

// Feature is an experimental feature: its key in the API, its name in error texts, and where it is discussed.
type Feature struct{ Key, Name, Link string }

// ChatCompletions is the key of the feature of chats.
const ChatCompletions = "chatCompletions"

const discussions = "https://github.com/orgs/meilisearch/discussions/"

// Features are the experimental ones of Meilisearch v1.50, in the order of GET. Some gate nothing by themselves and have
// no name.
func Features() []Feature {
	return []Feature{
		{"metrics", "metrics", "https://github.com/meilisearch/product/discussions/625"},
		{"logsRoute", "logs route", discussions + "721"},
		{"editDocumentsByFunction", "edit documents by function", discussions + "762"},
		{"containsFilter", "contains filter", discussions + "763"},
		{"dynamicSearchRules", "dynamic search rules", discussions + "884"},
		{"network", "network", discussions + "805"},
		{"getTaskDocumentsRoute", "get task documents route", discussions + "808"},
		{"taskQueueCompactionRoute", "task queue compaction route", discussions + "883"},
		{"compositeEmbedders", "composite embedders", discussions + "816"},
		{ChatCompletions, "chat completions", discussions + "835"},
		{"multimodal", "multimodal", discussions + "846"},
		{"foreignKeys", "foreign_keys", discussions + "873"},
		{Key: "disableDocumentsFetchQueue"},
		{Key: "legacySearch"},
		{"renderRoute", "render_route", discussions + "888"},
	}
}

// FeatureOff is the error of doing what needs a feature that is off. The action begins the sentence.
func FeatureOff(key, action string) *Error {
	for _, f := range Features() {
		if f.Key == key {
			return FeatureNotEnabled(action, f.Name, f.Link)
		}
	}
	return Internal("unknown feature " + key)
}

// FeatureOf is the key of the feature that an error of FeatureOff, or of a server, is about; empty for other errors.
func FeatureOf(e *Error) string {
	if e.Code != "feature_not_enabled" {
		return ""
	}
	for _, f := range Features() {
		if f.Name != "" && strings.Contains(e.Message, " requires enabling the `"+f.Name+"` experimental feature. ") {
			return f.Key
		}
	}
	return ""
}
