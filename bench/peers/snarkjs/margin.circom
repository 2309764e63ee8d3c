pragma circom 2.0.0;

// The conventional circuit: changes to accounts in a tree of depth 20 under Poseidon, one after the other. A leaf is
// collateral + 2^64 * position; positions are long.
include "node_modules/circomlib/circuits/poseidon.circom";
include "node_modules/circomlib/circuits/bitify.circom";

template Root(depth) {
    signal input leaf;
    signal input turns[depth];
    signal input siblings[depth];
    signal output root;
    component hashes[depth];
    signal swapped[depth];
    signal nodes[depth + 1];
    nodes[0] <== leaf;
    for (var i = 0; i < depth; i++) {
        swapped[i] <== turns[i] * (siblings[i] - nodes[i]);
        hashes[i] = Poseidon(2);
        hashes[i].inputs[0] <== nodes[i] + swapped[i];
        hashes[i].inputs[1] <== siblings[i] - swapped[i];
        nodes[i + 1] <== hashes[i].out;
    }
    root <== nodes[depth];
}

template Change(depth) {
    var PRICE = 30000;
    var RATE = 1000;
    signal input collateral;
    signal input position;
    signal input size;
    signal input index;
    signal input siblings[depth];
    signal output before;
    signal output after;

    component turns = Num2Bits(depth);
    turns.in <== index;

    signal newCollateral <== collateral - size * PRICE;
    signal newPosition <== position + size;
    component ranges[3];
    for (var i = 0; i < 3; i++) {
        ranges[i] = Num2Bits(64);
    }
    ranges[0].in <== newCollateral;
    ranges[1].in <== newPosition;
    ranges[2].in <== newCollateral + newPosition * (PRICE - RATE);

    component old = Root(depth);
    component new = Root(depth);
    old.leaf <== collateral + (1 << 64) * position;
    new.leaf <== newCollateral + (1 << 64) * newPosition;
    for (var i = 0; i < depth; i++) {
        old.turns[i] <== turns.out[i];
        new.turns[i] <== turns.out[i];
        old.siblings[i] <== siblings[i];
        new.siblings[i] <== siblings[i];
    }
    before <== old.root;
    after <== new.root;
}

template Batch(depth, changes) {
    signal input collateral[changes];
    signal input position[changes];
    signal input size[changes];
    signal input index[changes];
    signal input siblings[changes][depth];
    signal output before;
    signal output after;
    component parts[changes];
    for (var i = 0; i < changes; i++) {
        parts[i] = Change(depth);
        parts[i].collateral <== collateral[i];
        parts[i].position <== position[i];
        parts[i].size <== size[i];
        parts[i].index <== index[i];
        for (var j = 0; j < depth; j++) {
            parts[i].siblings[j] <== siblings[i][j];
        }
    }
    for (var i = 1; i < changes; i++) {
        parts[i].before === parts[i - 1].after;
    }
    before <== parts[0].before;
    after <== parts[changes - 1].after;
}
