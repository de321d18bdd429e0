package auth

import (
	"slices"
	"strings"
)

// Actions lists the actions of a key in the order in which error texts do.
func Actions() []string {
	return strings.Fields("* search documents.* documents.add documents.get documents.delete indexes.* indexes.create indexes.get " +
		"indexes.update indexes.delete indexes.swap tasks.* tasks.cancel tasks.delete tasks.get settings.* settings.get " +
		"settings.update stats.* stats.get metrics.* metrics.get dumps.* dumps.create snapshots.* snapshots.create version " +
		"keys.create keys.get keys.update keys.delete experimental.get experimental.update export network.get network.update " +
		"chatCompletions chats.* chats.get chats.delete chatsSettings.* chatsSettings.get chatsSettings.update *.get webhooks.get " +
		"webhooks.update webhooks.delete webhooks.create webhooks.* indexes.compact fields.post tasks.compact " +
		"dynamicSearchRules.get dynamicSearchRules.create dynamicSearchRules.update dynamicSearchRules.delete dynamicSearchRules.*")
}

// global tells the actions that a key of some indexes only cannot have.
func global(action string) bool {
	group, _, _ := strings.Cut(action, ".")
	switch group {
	case "metrics", "dumps", "snapshots", "version", "keys", "experimental", "export", "network", "chats", "chatsSettings", "webhooks",
		"dynamicSearchRules":
		return true
	default:
		return action == "tasks.compact"
	}
}

// reads are the actions that `*.get` stands for. Keys are not among them: their
// values would give more away than reading.
var reads = strings.Fields("search documents.get export indexes.get tasks.get settings.get stats.get metrics.get version " +
	"experimental.get network.get chats.get chatsSettings.get webhooks.get fields.post dynamicSearchRules.get")

// listing tells the actions whose routes, when they name no index, are open to keys
// of some indexes too, and show or take those only.
func listing(action string) bool {
	switch action {
	case "search", "chatCompletions", "documents.get", "settings.get", "stats.get", "indexes.create", "indexes.get", "indexes.swap",
		"tasks.get", "tasks.cancel", "tasks.delete":
		return true
	default:
		return false
	}
}

// expand lists the actions that routes ask for which a key's actions stand for.
// Some routes ask for a whole group, such as `documents.*`: as in Meilisearch only
// `*` gives that.
func expand(actions []string) map[string]bool {
	out := make(map[string]bool)
	all := Actions()
	for _, a := range actions {
		group, isGroup := strings.CutSuffix(a, ".*")
		for _, one := range all {
			switch {
			case a == "*":
				out[one] = one != "*.get"
			case a == "*.get":
				out[one] = out[one] || slices.Contains(reads, one)
			case isGroup:
				out[one] = out[one] || one != a && strings.HasPrefix(one, group+".")
			default:
				out[one] = out[one] || one == a
			}
		}
	}
	return out
}
