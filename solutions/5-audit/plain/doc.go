// Package audit is the reference of Lab 5: an auditor that is built like the lab. The README of
// labs/5-audit is the guide. The capstone uses the auditor of solutions/5-audit, which also seals
// times, names offenders, passes over foreign objects and makes proofs for others.
//
// tree.go is pure. Auditor reads one log and writes one archive (auditor.go). Witness remembers one
// checkpoint.
package audit
