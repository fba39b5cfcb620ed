"""What must hold of options whatever a chart says: hazards H-31, H-37, H-39, H-41 and rules 9."""

from __future__ import annotations

import itertools

from test_options import ALWAYS, KNOWLEDGE, STATE_OF, case, chart, fact, match

from mappings.deciding.options_plan import is_barred
from mappings.evaluation import Branch, RelapseCategory, Route
from mappings.facts import AntigenState, SafetyFact
from mappings.loading import Option

GROUPS = ("lbcl", "fl", "mcl", "b-all")
AXIS = (*STATE_OF, RelapseCategory.CD19_UNKNOWN)
ROUTE_ORDER = list(Route)


def _needs_b_antigen(option: Option) -> bool:
    return any(target.must_be != "not-required" for target in option.targets)


def _needs_cd19(option: Option) -> bool:
    return any(target.antigen == "CD19" and target.must_be != "not-required" for target in option.targets)


def _every_case() -> itertools.product[tuple[object, ...]]:
    return itertools.product(
        (*AXIS, RelapseCategory.LINEAGE_SWITCH), GROUPS, AntigenState, AntigenState, (9, 30, None)
    )


def test_unknown_cd19_never_removes_an_independent_option() -> None:
    """H-39: options that need no CD19 stand as they do with CD19 positive or negative."""
    for group, cd20 in itertools.product(GROUPS, AntigenState):
        unknown = match(case(RelapseCategory.CD19_UNKNOWN, group, cd20=cd20))
        for category in STATE_OF:
            other = match(case(category, group, cd20=cd20))
            for name, option in other.items():
                if not _needs_cd19(KNOWLEDGE.option(name)):
                    assert unknown[name].route == option.route


def test_lineage_switch_offers_no_b_antigen_option() -> None:
    """H-31: neither as an option, nor as one that waits for a result, nor for a trial."""
    open_routes = {Route.CONSIDER, Route.SPECIALIST, Route.NEEDS_RESULT}
    for group, cd20, cd22 in itertools.product(GROUPS, AntigenState, AntigenState):
        found = match(case(RelapseCategory.LINEAGE_SWITCH, group, cd20=cd20, cd22=cd22))
        for name, option in found.items():
            if _needs_b_antigen(KNOWLEDGE.option(name)):
                assert option.route not in open_routes


def test_t_cell_malignancy_offers_no_b_antigen_option() -> None:
    """H-31: only what is right in any case."""
    for category, group in itertools.product((*AXIS, RelapseCategory.LINEAGE_SWITCH), GROUPS):
        assert set(match(case(category, group, branch=Branch.T_CELL_MALIGNANCY))) == ALWAYS


def test_order_is_fixed_under_any_data() -> None:
    """H-41, rules 9.1: routes in their order, within a route the one order of the catalogue."""
    place = {option.id: at for at, option in enumerate(KNOWLEDGE.options)}
    for category, group, cd20, cd22, age in _every_case():
        found = list(match(case(category, group, cd20=cd20, cd22=cd22, age=age)).values())  # type: ignore[arg-type]
        keys = [(ROUTE_ORDER.index(option.route), place[option.option]) for option in found]
        assert keys == sorted(keys)


def test_catalogue_order_is_testing_trial_then_alphabetical() -> None:
    """Rules 9.1."""
    kinds = [option.kind for option in KNOWLEDGE.options]
    assert kinds[:2] == ["testing", "clinical-trial"]
    labels = [option.label.lower() for option in KNOWLEDGE.options[2:]]
    assert labels == sorted(labels)


def test_data_never_free_an_option() -> None:
    """A patient's data may narrow the table's route, never widen it."""
    for category, group, cd20, cd22, age in _every_case():
        for name, option in match(case(category, group, cd20=cd20, cd22=cd22, age=age)).items():  # type: ignore[arg-type]
            row = KNOWLEDGE.option(name).route_to_category[category]  # type: ignore[index]
            table = ROUTE_ORDER.index(Route(row.route))
            assert ROUTE_ORDER.index(option.route) >= min(table, ROUTE_ORDER.index(Route.NEEDS_RESULT))
            if option.route is Route.CONSIDER:
                assert row.route == Route.CONSIDER


def test_figures_fit_age_and_disease() -> None:
    """H-37: a child sees child rows or none, an unknown age only mixed rows, nobody another disease's."""
    for category, group, age in itertools.product(AXIS, GROUPS, (9, 30, None)):
        for option in match(case(category, group, age=age)).values():
            rows = [KNOWLEDGE.evidence[key] for key in option.evidence]
            assert option.no_evidence is not bool(rows)
            for row in rows:
                assert row.disease in (group, "mixed")
                if age == 9:
                    assert row.adult_or_child == "child"
                if age is None:
                    assert row.adult_or_child == "mixed"
            order = ["all", "subgroup", "mixed", "none"]
            ranks = [order.index(row.post_car_t) for row in rows]
            assert ranks == sorted(ranks)


def test_figures_of_pmbcl_only_for_pmbcl() -> None:
    """A subtype's figures are not another subtype's."""
    assert "pembro-pmbcl-kn170" not in match(case())["pd1-blockade"].evidence
    assert "pembro-pmbcl-kn170" in match(case(pmbcl=True))["pd1-blockade"].evidence
    assert "cd1922-nhl32" not in match(case(group="b-all"))["cd19-cd22-dual-car-t"].evidence
    assert "cd1922-meta-all" in match(case(group="b-all", age=30))["cd19-cd22-dual-car-t"].evidence


def test_every_option_is_reachable_or_barred() -> None:
    """H-39: no option is lost by a filter."""
    reached = {name for group in GROUPS for name in match(case(group=group))}
    for option in KNOWLEDGE.options:
        assert (option.id in reached) is (bool(option.diseases) and not is_barred(option))


def test_rules_named_exist() -> None:
    """Each reason rests on a rule a clinician can read."""
    for category, group, cd20, cd22, age in _every_case():
        for option in match(case(category, group, cd20=cd20, cd22=cd22, age=age)).values():  # type: ignore[arg-type]
            assert option.rule in KNOWLEDGE.rules
            assert option.why.strip()


def test_labels_are_the_catalogue_s() -> None:
    """Labels are a contract with outside readers."""
    for option in match(case()).values():
        assert option.label == KNOWLEDGE.option(option.option).label


def test_safety_facts_in_any_order_give_the_same_answer() -> None:
    """The chart's order is no information."""
    facts: list[SafetyFact] = [fact(name, "value", "1") for name in ("lvef", "anc", "igg", "alt")]
    first = match(case(), chart(safety=tuple(facts)))
    assert match(case(), chart(safety=tuple(reversed(facts)))) == first


def test_nothing_of_a_patient_is_kept() -> None:
    """The second patient's answer does not hold the first one's data."""
    marked = match(case(), chart(safety=(fact("lvef", "value", "ZZSENTINEL"),)))
    assert any("ZZSENTINEL" in check.value for option in marked.values() for check in option.checks)
    clean = match(case(), chart())
    assert "ZZSENTINEL" not in repr(clean)
