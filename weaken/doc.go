// Package weaken holds switches that take away a part of what makes answers true,
// so that tests can be seen to fail without it. In every build but one with the
// tag "weaken" they are constants and cost nothing; with the tag, the variable
// MIROIR_WEAKEN names the one that is thrown: details, shards, sequence, replay,
// ordering or rebuild.
package weaken
