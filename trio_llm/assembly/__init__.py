"""Builds the tree of actors from a plan."""

from trio_llm.assembly.prices import prices_at_hand as prices_at_hand
from trio_llm.assembly.sameness import same_account as same_account
from trio_llm.assembly.sameness import same_key as same_key
from trio_llm.assembly.surroundings import Surroundings as Surroundings
from trio_llm.assembly.tree import Actor as Actor
from trio_llm.assembly.tree import Tree as Tree
from trio_llm.assembly.tree import build as build
