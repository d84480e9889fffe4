"""What the experiments found, for Section 5.2 of the page: statements without digits, each with its link."""

HOLDS = (
    "At load 1 the diffusion agent completes far more flows than round robin, as in the paper, and a little more than "
    "dqn and ppo ([headline](experiments/README.md#headline)). With Table 1 in full it has the most reward of the "
    "four agents at load 1, on every seed ([Table 1 in full](experiments/README.md#table-1-in-full)).",
    "From load 1.5 on it has more reward than one-step greedy, a rule that knows Eqs. (2) to (13) and takes the "
    "action with the largest immediate reward. So learning pays: a learned "
    "value also counts what an action costs the flows that come later.",
)

HOLDS_NOT = (
    "A plain soft actor-critic, whose actor is an MLP, does as well as the diffusion agent. The paper does not "
    "compare with it. What it compares with, dqn and ppo, completes a little less at load 1; ppo earns as much.",
    "The paper has completion rise with the number of flows (Figure 5). Both readings of its axis, flows seen and "
    "load, are drawn below. Completion rises while the agent trains; under more load it falls, for every scheduler.",
    "With ten denoising steps the agent learns more slowly than the others. With one or two steps it learns sooner and "
    "ends no lower ([length of the chain](experiments/README.md#length-of-the-chain)).",
    "Two rules of three lines, greedy less a price on the bandwidth and compute that a flow holds, are better than "
    "every agent of the paper's form at loads 1 to 3 ([why prices win](experiments/README.md#headline)). Later flows "
    "cannot use what an earlier one holds, and the state of Eq. (11) does not show how much that is. An "
    "agent that is shown it, and learns two prices, is level with the better of these rules or above it ([the "
    "preset deploy](experiments/README.md#the-preset-deploy)).",
)

PAYS = (
    r"For given values, the maximiser of \(J\) is \(\text{softmax}(Q / \alpha)\), which an MLP can represent too "
    "([derivation](#derive-objective)). So the chain has no advantage in what it can represent. The measurements "
    "agree: with 12 to 768 actions no size was found at which diffusion pays, and it takes the most time for a "
    "decision at each of them ([when does diffusion pay?](experiments/README.md#when-does-diffusion-pay)).",
    "The misprints hardly matter in training. With Eq. (21) as printed the agent trains about as well; with Eq. (24) "
    "as printed it loses a little. The network learns to make up for a wrong constant. In the chain itself the error "
    "is plain: with a perfect prediction of the noise, only the corrected forms return the clean latent "
    "([ablations](experiments/README.md#ablations)). So a curve that looks right is no proof of an equation; a test "
    "of the equation is.",
    r"Without \(L_d\), Eq. (25), the agent is level at load 1 and completes more at load 2 ([its "
    "role](#derive-teacher)).",
)

FAR = (
    "How far the targets look trades load 1 against overload ([near "
    "targets](experiments/results/README.md#near-targets), [far targets](experiments/results/README.md#far-targets)), "
    "and the scale of the state decides how fast each agent learns ([the "
    "state](experiments/results/README.md#the-state)).",
    "In the kernel of Linux flows are paced, each at its own rate, so the wait of Eq. (5) hardly occurs. Schedulers "
    "complete more there than in the simulator; most available and one-step greedy gain most. The agent of the preset "
    "deploy and greedy with prices are ahead at load 2 ([the testbed](experiments/testbed/README.md)).",
    "All numbers, with intervals and seeds, are in [the results](experiments/README.md). Many comparisons rest on "
    "three seeds; the sections there say where.",
)

DISCUSSION = {
    "What holds": HOLDS,
    "What does not hold": HOLDS_NOT,
    "When does diffusion pay?": PAYS,
    "What else decides": FAR,
}
